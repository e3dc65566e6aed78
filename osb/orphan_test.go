package osb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

// every lists the calls that the table's "all" stands for.
var every = []osb.Operation{
	osb.OpCatalog, osb.OpProvision, osb.OpGetInstance, osb.OpUpdate, osb.OpDeprovision,
	osb.OpBind, osb.OpGetBinding, osb.OpUnbind, osb.OpLastOperation,
}

var errBody = errors.New("body is malformed JSON near byte 1")

// TestOrphanMitigationTable is OSB 2.17 §Orphan Mitigation, row by row, for
// each call. Success is a nil error; want lists the calls after which the
// resource may be left behind.
func TestOrphanMitigationTable(t *testing.T) {
	t.Parallel()
	var (
		none      []osb.Operation
		provision = []osb.Operation{osb.OpProvision}
		bind      = []osb.Operation{osb.OpBind}
		instance  = []osb.Operation{osb.OpProvision, osb.OpDeprovision}
		binding   = []osb.Operation{osb.OpBind, osb.OpUnbind}
		update    = []osb.Operation{osb.OpUpdate}
		others    = without(every, osb.OpProvision, osb.OpBind)
	)
	for name, row := range map[string]struct {
		of      []osb.Operation
		answers []osb.Answer
		success []osb.Operation
		want    []osb.Operation
	}{
		"P120 all: 200 is success": {every, statuses(200), every, none},
		"P121 all: 200 with a malformed body is failure without mitigation": {
			every, []osb.Answer{{StatusCode: 200, Malformed: errBody}}, none, none},
		"P124 provision and bind: 201 is success":               {join(provision, bind), statuses(201), join(provision, bind), none},
		"P125 provision: 201 with a malformed body":             {provision, []osb.Answer{{StatusCode: 201, Malformed: errBody}}, none, provision},
		"P126 bind: 201 with a malformed body":                  {bind, []osb.Answer{{StatusCode: 201, Malformed: errBody}}, none, bind},
		"P127 202 is success":                                   {join(instance, binding, update), statuses(202), join(instance, binding, update), none},
		"P128 provision: 202 with a malformed body":             {provision, []osb.Answer{{StatusCode: 202, Malformed: errBody}}, none, provision},
		"P129 bind: 202 with a malformed body":                  {bind, []osb.Answer{{StatusCode: 202, Malformed: errBody}}, none, bind},
		"P130 provision and deprovision: any other 2xx":         {instance, statuses(203, 204, 206, 299), none, instance},
		"P131 bind and unbind: any other 2xx":                   {binding, statuses(203, 204, 206, 299), none, binding},
		"P132 update: any other 2xx":                            {update, statuses(201, 203, 204, 299), none, none},
		"P133 all: 408 was not received":                        {every, statuses(408), none, none},
		"P134 all: any other 4xx is rejected":                   {every, statuses(400, 401, 403, 404, 405, 409, 412, 413, 418, 422, 429, 499), none, none},
		"P135 provision and deprovision: 5xx":                   {instance, statuses(500, 501, 502, 503, 504, 599), none, instance},
		"P136 bind and unbind: 5xx":                             {binding, statuses(500, 501, 502, 503, 504, 599), none, binding},
		"P137 update: 5xx":                                      {update, statuses(500, 503), none, none},
		"P138 provision: timeout":                               {provision, timeouts(), none, provision},
		"P139 bind: timeout":                                    {bind, timeouts(), none, bind},
		"P140 all but provision and bind: timeout":              {others, timeouts(), none, none},
		"P141 provision and bind: the platform itself broke it": {join(provision, bind), []osb.Answer{{Sent: true, Err: context.Canceled}}, none, join(provision, bind)},
		"P142 any: 422 ConcurrencyError": {every, []osb.Answer{
			{StatusCode: 422, Body: []byte(`{"error":"ConcurrencyError"}`)}}, none, none},
		"beyond the table: a request that was never sent leaves nothing": {every, []osb.Answer{
			{Err: context.DeadlineExceeded}, {Err: errors.New("dial tcp: connection refused")}}, none, none},
		"beyond the table: a redirect was not carried out": {every, statuses(301, 307, 308), none, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, op := range row.of {
				for _, a := range row.answers {
					a.Operation = op
					err := osb.Classify(a)
					what := fmt.Sprintf("%s, status %d", op, a.StatusCode)
					if slices.Contains(row.success, op) {
						require.Nil(t, err, what)
						continue
					}
					require.NotNil(t, err, what)
					assert.Equal(t, slices.Contains(row.want, op), err.OrphanMitigation, what)
				}
			}
		})
	}
}

// TestOrphanMitigationAfterAPoll is P50, P122, P123 and P100: what follows from
// state failed, or from the end of the polling time.
func TestOrphanMitigationAfterAPoll(t *testing.T) {
	t.Parallel()
	for op, want := range map[osb.Operation]bool{
		osb.OpProvision: true, osb.OpDeprovision: true, osb.OpBind: true, osb.OpUnbind: true,
		osb.OpUpdate: false, osb.OpCatalog: false, osb.OpGetInstance: false,
	} {
		assert.Equal(t, want, op.OrphanOnFailed(), op)
	}
}

func statuses(codes ...int) []osb.Answer {
	var out []osb.Answer
	for _, c := range codes {
		out = append(out, osb.Answer{StatusCode: c, Body: []byte(`{}`), Sent: true})
	}
	return out
}

// timeouts are the ways not to get an answer after the request left.
func timeouts() []osb.Answer {
	return []osb.Answer{{Sent: true, Err: context.DeadlineExceeded}, {Sent: true, Err: io.EOF}}
}

func join(lists ...[]osb.Operation) []osb.Operation { return slices.Concat(lists...) }

func without(list []osb.Operation, drop ...osb.Operation) []osb.Operation {
	return slices.DeleteFunc(slices.Clone(list), func(o osb.Operation) bool { return slices.Contains(drop, o) })
}
