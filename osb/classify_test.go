package osb_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

const html = `<!DOCTYPE html><html><body>no such app, secret-in-html</body></html>`

// TestClassify holds the code tables of each call.
func TestClassify(t *testing.T) {
	t.Parallel()
	type want struct {
		kind      osb.Kind // empty means success
		actor     osb.Actor
		retryable bool
		lost      bool
	}
	word := func(w string) []byte { return fmt.Appendf(nil, `{"error":%q,"description":"why"}`, w) }
	router := http.Header{"X-Cf-Routererror": {"unknown_route"}}
	for name, tc := range map[string]struct {
		answer osb.Answer
		want   want
	}{
		"provision 400 is rejected":                     {osb.Answer{Operation: osb.OpProvision, StatusCode: 400}, want{osb.KindRejected, osb.ActorUser, false, false}},
		"provision 401 is the platform team's (P2)":     {osb.Answer{Operation: osb.OpProvision, StatusCode: 401}, want{osb.KindUnauthorized, osb.ActorPlatformTeam, true, false}},
		"provision 403 is the platform team's":          {osb.Answer{Operation: osb.OpProvision, StatusCode: 403}, want{osb.KindUnauthorized, osb.ActorPlatformTeam, true, false}},
		"provision 404 means a wrong URL":               {osb.Answer{Operation: osb.OpProvision, StatusCode: 404}, want{osb.KindNotFound, osb.ActorPlatformTeam, false, false}},
		"provision 408 may be sent again (P14, P133)":   {osb.Answer{Operation: osb.OpProvision, StatusCode: 408}, want{osb.KindNotReceived, osb.ActorNobody, true, false}},
		"provision 409 is a conflict":                   {osb.Answer{Operation: osb.OpProvision, StatusCode: 409, Body: []byte(`{}`)}, want{osb.KindConflict, osb.ActorUser, false, false}},
		"409 with the word of concurrency is busy":      {osb.Answer{Operation: osb.OpBind, StatusCode: 409, Body: word("ConcurrencyError")}, want{osb.KindBusy, osb.ActorNobody, true, false}},
		"provision 412 is a wrong version (P1)":         {osb.Answer{Operation: osb.OpProvision, StatusCode: 412}, want{osb.KindVersionUnsupported, osb.ActorPlatformTeam, true, false}},
		"422 ConcurrencyError waits (P12, P110)":        {osb.Answer{Operation: osb.OpProvision, StatusCode: 422, Body: word("ConcurrencyError")}, want{osb.KindBusy, osb.ActorNobody, true, false}},
		"422 AsyncRequired (P12, P40)":                  {osb.Answer{Operation: osb.OpProvision, StatusCode: 422, Body: word("AsyncRequired")}, want{osb.KindAsyncRequired, osb.ActorBroker, false, false}},
		"422 MaintenanceInfoConflict (P12, P63)":        {osb.Answer{Operation: osb.OpProvision, StatusCode: 422, Body: word("MaintenanceInfoConflict")}, want{osb.KindMaintenanceInfoConflict, osb.ActorNobody, false, false}},
		"422 RequiresApp (P12, P91)":                    {osb.Answer{Operation: osb.OpBind, StatusCode: 422, Body: word("RequiresApp")}, want{osb.KindRequiresApp, osb.ActorUser, false, false}},
		"422 with another word is rejected (P12)":       {osb.Answer{Operation: osb.OpUpdate, StatusCode: 422, Body: word("PlanTooSmall")}, want{osb.KindRejected, osb.ActorUser, false, false}},
		"422 with no body is rejected":                  {osb.Answer{Operation: osb.OpUpdate, StatusCode: 422}, want{osb.KindRejected, osb.ActorUser, false, false}},
		"422 that broke off says nothing":               {osb.Answer{Operation: osb.OpProvision, StatusCode: 422, Sent: true, Err: io.ErrUnexpectedEOF}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"a word in another status does not count (P12)": {osb.Answer{Operation: osb.OpProvision, StatusCode: 400, Body: word("AsyncRequired")}, want{osb.KindRejected, osb.ActorUser, false, false}},
		"429 is busy":                                       {osb.Answer{Operation: osb.OpProvision, StatusCode: 429}, want{osb.KindBusy, osb.ActorNobody, true, false}},
		"500 of the broker is an answer":                    {osb.Answer{Operation: osb.OpProvision, StatusCode: 500, Body: []byte(`{"description":"disk full"}`)}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"500 without body is an answer":                     {osb.Answer{Operation: osb.OpProvision, StatusCode: 500}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"502 from a gateway lost the answer":                {osb.Answer{Operation: osb.OpUnbind, StatusCode: 502, Body: []byte(html)}, want{osb.KindUnavailable, osb.ActorBroker, true, true}},
		"504 without body lost the answer":                  {osb.Answer{Operation: osb.OpUpdate, StatusCode: 504}, want{osb.KindUnavailable, osb.ActorBroker, true, true}},
		"503 by a router header lost the answer":            {osb.Answer{Operation: osb.OpBind, StatusCode: 503, Header: router, Body: []byte(`{}`)}, want{osb.KindUnavailable, osb.ActorBroker, true, true}},
		"a malformed 200 lost the answer":                   {osb.Answer{Operation: osb.OpProvision, StatusCode: 200, Malformed: errBody}, want{osb.KindMalformed, osb.ActorBroker, true, true}},
		"an unknown 2xx lost the answer":                    {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 204}, want{osb.KindMalformed, osb.ActorBroker, true, true}},
		"a status below 200 is malformed":                   {osb.Answer{Operation: osb.OpCatalog, StatusCode: 102}, want{osb.KindMalformed, osb.ActorBroker, true, false}},
		"a status above 599 is malformed":                   {osb.Answer{Operation: osb.OpProvision, StatusCode: 700}, want{osb.KindMalformed, osb.ActorBroker, true, false}},
		"a redirect is the platform team's":                 {osb.Answer{Operation: osb.OpProvision, StatusCode: 302}, want{osb.KindRedirect, osb.ActorPlatformTeam, true, false}},
		"304 answers a conditional catalog request":         {osb.Answer{Operation: osb.OpCatalog, StatusCode: 304, Conditional: true}, want{}},
		"304 answers nothing else":                          {osb.Answer{Operation: osb.OpCatalog, StatusCode: 304}, want{osb.KindMalformed, osb.ActorBroker, true, false}},
		"catalog 404 means a wrong URL":                     {osb.Answer{Operation: osb.OpCatalog, StatusCode: 404}, want{osb.KindNotFound, osb.ActorPlatformTeam, true, false}},
		"catalog 400 is no user's":                          {osb.Answer{Operation: osb.OpCatalog, StatusCode: 400}, want{osb.KindRejected, osb.ActorPlatformTeam, true, false}},
		"catalog 202 is malformed":                          {osb.Answer{Operation: osb.OpCatalog, StatusCode: 202}, want{osb.KindMalformed, osb.ActorBroker, true, false}},
		"deprovision 410 is success":                        {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 410, Body: []byte(`{}`)}, want{}},
		"unbind 410 without body is success":                {osb.Answer{Operation: osb.OpUnbind, StatusCode: 410}, want{}},
		"unbind 410 with body null is success":              {osb.Answer{Operation: osb.OpUnbind, StatusCode: 410, Body: []byte("null\n")}, want{}},
		"deprovision 410 in HTML is not gone":               {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 410, Body: []byte(html)}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"deprovision 410 by a router header is not gone":    {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 410, Body: []byte(`{}`), Header: router}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"deprovision 410 that broke off is not gone":        {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 410, Sent: true, Err: io.ErrUnexpectedEOF}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"deprovision 404 is not gone and tries on (P102)":   {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 404, Body: []byte(`{}`)}, want{osb.KindNotFound, osb.ActorPlatformTeam, true, false}},
		"deprovision 404 in HTML is not the broker":         {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 404, Body: []byte(html)}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"deprovision 400 tries on (P102)":                   {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 400}, want{osb.KindRejected, osb.ActorUser, true, false}},
		"deprovision 201 is outside the spec":               {osb.Answer{Operation: osb.OpDeprovision, StatusCode: 201}, want{osb.KindMalformed, osb.ActorBroker, true, true}},
		"provision 410 is no success":                       {osb.Answer{Operation: osb.OpProvision, StatusCode: 410, Body: []byte(`{}`)}, want{osb.KindGone, osb.ActorPlatformTeam, false, false}},
		"poll of a delete 410 is success (P45)":             {osb.Answer{Operation: osb.OpLastOperation, Polled: osb.OpDeprovision, StatusCode: 410}, want{}},
		"poll of an unbind 410 is success (P45)":            {osb.Answer{Operation: osb.OpLastOperation, Polled: osb.OpUnbind, StatusCode: 410}, want{}},
		"poll of a create 410 polls on (P45)":               {osb.Answer{Operation: osb.OpLastOperation, Polled: osb.OpProvision, StatusCode: 410}, want{osb.KindGone, osb.ActorNobody, true, false}},
		"poll of an update 410 polls on (P45)":              {osb.Answer{Operation: osb.OpLastOperation, Polled: osb.OpUpdate, StatusCode: 410}, want{osb.KindGone, osb.ActorNobody, true, false}},
		"poll 404 polls on (P46)":                           {osb.Answer{Operation: osb.OpLastOperation, Polled: osb.OpDeprovision, StatusCode: 404}, want{osb.KindNotFound, osb.ActorNobody, true, false}},
		"poll 400 polls on (P46)":                           {osb.Answer{Operation: osb.OpLastOperation, Polled: osb.OpDeprovision, StatusCode: 400}, want{osb.KindRejected, osb.ActorUser, true, false}},
		"poll timeout loses nothing":                        {osb.Answer{Operation: osb.OpLastOperation, Sent: true, Err: context.DeadlineExceeded}, want{osb.KindTimeout, osb.ActorBroker, true, false}},
		"fetch 404 is no error of a user (P73)":             {osb.Answer{Operation: osb.OpGetInstance, StatusCode: 404}, want{osb.KindNotFound, osb.ActorNobody, true, false}},
		"fetch 422 ConcurrencyError is being updated (P73)": {osb.Answer{Operation: osb.OpGetInstance, StatusCode: 422, Body: word("ConcurrencyError")}, want{osb.KindBusy, osb.ActorNobody, true, false}},
		"no answer in time":                                 {osb.Answer{Operation: osb.OpBind, Sent: true, Err: context.DeadlineExceeded}, want{osb.KindTimeout, osb.ActorBroker, true, true}},
		"the time ran out while connecting":                 {osb.Answer{Operation: osb.OpBind, Err: context.DeadlineExceeded}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"the time ran out in the body of a 201":             {osb.Answer{Operation: osb.OpBind, StatusCode: 201, Sent: true, Err: context.DeadlineExceeded}, want{osb.KindTimeout, osb.ActorBroker, true, true}},
		"the connection broke after sending":                {osb.Answer{Operation: osb.OpDeprovision, Sent: true, Err: io.EOF}, want{osb.KindUnavailable, osb.ActorBroker, true, true}},
		"nothing listens":                                   {osb.Answer{Operation: osb.OpProvision, Err: errors.New("connection refused")}, want{osb.KindUnavailable, osb.ActorBroker, true, false}},
		"canceled before it was sent":                       {osb.Answer{Operation: osb.OpProvision, Err: context.Canceled}, want{osb.KindCanceled, osb.ActorNobody, true, false}},
		"canceled after it was sent":                        {osb.Answer{Operation: osb.OpProvision, Sent: true, Err: context.Canceled}, want{osb.KindCanceled, osb.ActorNobody, true, true}},
		"an unknown authority":                              {osb.Answer{Operation: osb.OpCatalog, Err: fmt.Errorf("tls: %w", x509.UnknownAuthorityError{})}, want{osb.KindUntrusted, osb.ActorPlatformTeam, true, false}},
		"a certificate for another host":                    {osb.Answer{Operation: osb.OpCatalog, Err: fmt.Errorf("tls: %w", x509.HostnameError{Certificate: &x509.Certificate{}})}, want{osb.KindUntrusted, osb.ActorPlatformTeam, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := osb.Classify(tc.answer)
			if tc.want.kind == "" {
				require.Nil(t, err)
				return
			}
			require.NotNil(t, err)
			assert.Equal(t, tc.want, want{err.Kind, err.Actor(), err.Retryable(), err.Lost})
			assert.NotEmpty(t, err.Hint())
			assert.NotContains(t, err.Error(), "secret-in-html", "a router's page is never copied")
		})
	}
}

func TestBrokersWords(t *testing.T) {
	t.Parallel()
	no := false
	t.Run("a failed update says what remains usable (P88, P89)", func(t *testing.T) {
		t.Parallel()
		err := osb.Classify(osb.Answer{Operation: osb.OpUpdate, StatusCode: 500,
			Body: []byte(`{"error":"UpgradeFailed","description":"half way","instance_usable":false,"update_repeatable":false,"x-new":1}`)})
		require.NotNil(t, err)
		assert.Equal(t, "UpgradeFailed", err.Word)
		assert.Equal(t, "half way", err.Description)
		assert.Equal(t, &no, err.InstanceUsable)
		assert.Equal(t, &no, err.UpdateRepeatable)
		assert.False(t, err.Retryable(), "the broker says that this update must not be repeated")
	})
	t.Run("a failed deprovision says it too (P103)", func(t *testing.T) {
		t.Parallel()
		err := osb.Classify(osb.Answer{Operation: osb.OpDeprovision, StatusCode: 500, Body: []byte(`{"instance_usable":false}`)})
		require.NotNil(t, err)
		assert.Equal(t, &no, err.InstanceUsable)
		assert.True(t, err.Retryable(), "a delete is repeated whatever is left")
	})
	t.Run("the status alone decides, whatever the body (P11)", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"", "{}", "null", "[]", `"no"`, "{", html, `{"error":7,"description":[]}`, `{"error":"","description":""}`} {
			for status, kind := range map[int]osb.Kind{400: osb.KindRejected, 401: osb.KindUnauthorized, 408: osb.KindNotReceived,
				409: osb.KindConflict, 412: osb.KindVersionUnsupported, 422: osb.KindRejected, 500: osb.KindUnavailable} {
				err := osb.Classify(osb.Answer{Operation: osb.OpProvision, StatusCode: status, Body: []byte(body)})
				require.NotNil(t, err)
				assert.Equal(t, kind, err.Kind, "%d with %s", status, body)
				assert.Empty(t, err.Word+err.Description)
			}
		}
	})
	t.Run("absent means nil, not false", func(t *testing.T) {
		t.Parallel()
		err := osb.Classify(osb.Answer{Operation: osb.OpUpdate, StatusCode: 500, Body: []byte(`{"instance_usable":null}`)})
		assert.Nil(t, err.InstanceUsable)
		assert.Nil(t, err.UpdateRepeatable)
		assert.True(t, err.Retryable())
	})
	t.Run("a broker that speaks of its failure is there", func(t *testing.T) {
		t.Parallel()
		spoken := osb.Classify(osb.Answer{Operation: osb.OpBind, StatusCode: 500, Body: []byte(`{"description":"disk full"}`)})
		assert.Contains(t, spoken.Hint(), "in its log")
		for _, a := range []osb.Answer{{StatusCode: 502, Body: []byte(html)}, {StatusCode: 500}, {Err: errors.New("connection refused")}} {
			a.Operation = osb.OpBind
			assert.Contains(t, osb.Classify(a).Hint(), "Check that the broker runs")
		}
	})
	t.Run("one odd field does not hide the others", func(t *testing.T) {
		t.Parallel()
		err := osb.Classify(osb.Answer{Operation: osb.OpProvision, StatusCode: 422, Body: []byte(`{"error":"ConcurrencyError","description":{"text":"x"},"instance_usable":"no"}`)})
		assert.Equal(t, osb.KindBusy, err.Kind)
		assert.Empty(t, err.Description)
	})
	t.Run("text is cut, on one line and free of control characters", func(t *testing.T) {
		t.Parallel()
		long := strings.Repeat("ä", 2000)
		body := `{"description":"one\ntwo\u001b[31m red \u202e hidden ` + long + `"}`
		err := osb.Classify(osb.Answer{Operation: osb.OpProvision, StatusCode: 400, Body: []byte(body)})
		assert.LessOrEqual(t, len(err.Description), 1024)
		assert.True(t, strings.HasPrefix(err.Description, "one two[31m red  hidden ää"), err.Description[:40])
		assert.True(t, strings.HasSuffix(err.Description, "ä…"), "cut between characters")
	})
	t.Run("a byte order mark is no fault", func(t *testing.T) {
		t.Parallel()
		err := osb.Classify(osb.Answer{Operation: osb.OpBind, StatusCode: 422, Body: []byte("\xef\xbb\xbf{\"error\":\"RequiresApp\"}")})
		assert.Equal(t, osb.KindRequiresApp, err.Kind)
	})
}

// TestRefusalsChangeNothing is P13: after a 4xx the broker is as it was, so
// nothing was lost and nothing is cleaned up; after a 5xx nobody knows.
func TestRefusalsChangeNothing(t *testing.T) {
	t.Parallel()
	for op := range mutations {
		for status := 400; status < 600; status++ {
			err := osb.Classify(osb.Answer{Operation: op, StatusCode: status, Sent: true, Body: []byte(`{"description":"no"}`)})
			if err == nil {
				assert.Equal(t, 410, status, op)
				continue
			}
			assert.Equal(t, status >= 500 && op != osb.OpUpdate, err.OrphanMitigation, "%s %d", op, status)
			assert.False(t, err.Lost, "%s %d: the broker has spoken", op, status)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                                  0,
		"0":                                 0,
		"120":                               2 * time.Minute,
		" 7 ":                               7 * time.Second,
		"3600":                              time.Hour,
		"3601":                              osb.MaxRetryAfter,
		"99999999999999999999999999999":     osb.MaxRetryAfter,
		"-5":                                0,
		"1.5":                               0,
		"soon":                              0,
		"Wed, 02 Jan 2030 03:05:05 GMT":     time.Minute,
		"Wed, 02 Jan 2030 03:00:00 GMT":     0,
		"Thu, 03 Jan 2030 03:00:00 GMT":     osb.MaxRetryAfter,
		"Wednesday, 02-Jan-30 03:05:05 GMT": time.Minute,
	} {
		assert.Equal(t, want, osb.ParseRetryAfter(value, now), value)
	}
}

func TestRetryAfterReachesTheError(t *testing.T) {
	t.Parallel()
	err := osb.Classify(osb.Answer{Operation: osb.OpProvision, StatusCode: 429, Header: http.Header{"Retry-After": {"30"}}})
	assert.Equal(t, 30*time.Second, err.RetryAfter)
}
