package osb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Answer is all that is known of a call when it is over: the input of Classify.
type Answer struct {
	Operation Operation
	// Polled is the operation that an OpLastOperation waits for.
	Polled Operation
	// Conditional is true if the request carried a validator, so that 304 is an answer to it.
	Conditional bool
	// Sent is true once a connection stood and the request may have left.
	Sent bool
	// StatusCode is 0 while no status line was read.
	StatusCode int
	Header     http.Header
	Body       []byte
	// Malformed is set if the status promises success but the body cannot be used.
	Malformed error
	// Err is set if the request could not be sent or the answer not be read whole.
	Err error
	// Now is when the answer came, for dates in Retry-After.
	Now time.Time
}

// Classify decides, once and for all, what an answer means. It returns nil for
// success: 200 for all; 201 for provision and bind; 202 where work can be
// asynchronous; 304 to a conditional catalog request; 410 from the broker
// itself to a delete or the poll of one (P45, P102).
func Classify(a Answer) *Error { return classify(a, cleanText) }

// classify is Classify with a way to clean the broker's words. It is called on
// the whole of them: credentials that were cut in two would not be recognized.
func classify(a Answer, clean func(string) string) *Error {
	if a.Err == nil && a.Malformed == nil && a.succeeded() {
		return nil
	}
	e := &Error{Operation: a.Operation, StatusCode: a.StatusCode, RetryAfter: ParseRetryAfter(a.Header.Get("Retry-After"), a.Now)}
	e.readBody(a, clean)
	e.Kind = a.kind(e.Word)
	switch {
	case a.Malformed != nil:
		e.Err = a.Malformed
	case a.Err != nil:
		e.Err = a.Err
	}
	e.Lost = a.lost()
	e.OrphanMitigation = a.orphan(e.Kind)
	return e
}

func (a Answer) succeeded() bool {
	switch a.StatusCode {
	case http.StatusOK:
		return true
	case http.StatusCreated:
		return a.Operation == OpProvision || a.Operation == OpBind
	case http.StatusAccepted:
		return a.Operation.mutates()
	case http.StatusNotModified:
		return a.Operation == OpCatalog && a.Conditional
	case http.StatusGone:
		return a.deletes() && !a.foreign()
	}
	return false
}

// deletes is true where 410 is what the caller wants to hear.
func (a Answer) deletes() bool {
	op := a.Operation
	if op == OpLastOperation {
		op = a.Polled
	}
	return op == OpDeprovision || op == OpUnbind
}

// foreign is true if something between us and the broker gave the answer: a
// router says so in a header, or there is a body and it is no JSON object.
// Brokers may leave the body out or send null.
func (a Answer) foreign() bool {
	if a.Header.Get("X-Cf-RouterError") != "" {
		return true
	}
	body := strings.TrimSpace(string(trimBOM(a.Body)))
	return body != "" && body != "null" && (body[0] != '{' || !json.Valid([]byte(body)))
}

// kind reads the tables of P60 to P142.
func (a Answer) kind(word string) Kind {
	switch status := a.StatusCode; {
	case a.unread():
		return a.transportKind()
	case status >= 400 && status < 500:
		return a.refusal(word)
	case status >= 500 && status < 600:
		return KindUnavailable
	case status >= 300 && status < 400 && status != http.StatusNotModified:
		return KindRedirect
	}
	return KindMalformed
}

// unread is true if too little was read to go by the status. A broken-off 422
// may have been a ConcurrencyError; other error statuses speak for themselves.
func (a Answer) unread() bool {
	return a.StatusCode == 0 || a.Err != nil && (a.StatusCode < 300 || a.StatusCode == http.StatusUnprocessableEntity)
}

// refusal tells the 4xx apart.
func (a Answer) refusal(word string) Kind {
	k, ok := statusKinds[a.StatusCode]
	if a.StatusCode == http.StatusUnprocessableEntity {
		k, ok = wordKinds[word]
	}
	switch {
	case !ok:
		return KindRejected
	case (k == KindGone || k == KindNotFound) && (a.foreign() || a.Err != nil):
		return KindUnavailable // a router knows no route, or half an answer; the broker said nothing
	case k == KindConflict && word == wordConcurrency:
		return KindBusy
	}
	return k
}

// statusKinds are the 4xx that mean something of their own.
var statusKinds = map[int]Kind{
	http.StatusUnauthorized:       KindUnauthorized,
	http.StatusForbidden:          KindUnauthorized,
	http.StatusNotFound:           KindNotFound,
	http.StatusRequestTimeout:     KindNotReceived,
	http.StatusConflict:           KindConflict,
	http.StatusGone:               KindGone,
	http.StatusPreconditionFailed: KindVersionUnsupported,
	http.StatusTooManyRequests:    KindBusy,
}

const wordConcurrency = "ConcurrencyError"

// wordKinds are the error words of 422 (P12).
var wordKinds = map[string]Kind{
	wordConcurrency:           KindBusy,
	"AsyncRequired":           KindAsyncRequired,
	"MaintenanceInfoConflict": KindMaintenanceInfoConflict,
	"RequiresApp":             KindRequiresApp,
}

// transportKind tells why no whole answer came.
func (a Answer) transportKind() Kind {
	var (
		guard    *guardError
		verify   *tls.CertificateVerificationError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
	)
	switch {
	case errors.Is(a.Err, errInvalid):
		return KindInvalid
	case errors.As(a.Err, &guard):
		return KindAddressRefused
	case errors.As(a.Err, &verify), errors.As(a.Err, &unknown), errors.As(a.Err, &hostname):
		return KindUntrusted
	case refusesCertificate(a.Err):
		return KindUnauthorized
	case errors.Is(a.Err, errTooLarge):
		return KindMalformed
	case errors.Is(a.Err, context.Canceled):
		return KindCanceled
	case errors.Is(a.Err, context.DeadlineExceeded) && a.Sent:
		return KindTimeout
	}
	return KindUnavailable // also a deadline that passed while connecting: nothing was sent
}

// lost says that the request may have been carried out while the broker's own
// answer to it is not known. After a 4xx nothing has changed, whatever its body.
func (a Answer) lost() bool {
	switch s := a.StatusCode; {
	case !a.Operation.mutates():
		return false
	case s == 0:
		return a.Sent
	case s < 300:
		return true // Classify comes here only if a 2xx could not be used
	case s == http.StatusBadGateway, s == http.StatusGatewayTimeout:
		return a.foreign() || len(a.Body) == 0
	case s >= 500:
		return a.foreign()
	}
	return false
}

// orphan is the table of OSB 2.17 §Orphan Mitigation, P120 to P142. For a
// deprovision or unbind it only means: send the delete again.
func (a Answer) orphan(k Kind) bool {
	op := a.Operation
	creates := op == OpProvision || op == OpBind
	touches := creates || op == OpDeprovision || op == OpUnbind
	switch s := a.StatusCode; {
	case s == 0:
		return creates && a.Sent && k != KindInvalid // P138 to P140, P141
	case s == http.StatusOK:
		return false // P121
	case s == http.StatusCreated, s == http.StatusAccepted:
		return creates // P125, P126, P128, P129
	case s > 200 && s < 300:
		return touches // P130 to P132
	case s >= 500 && s < 600:
		return touches // P135 to P137
	}
	return false // P133, P134, P142
}

// mutates is true for the operations that may be asynchronous.
func (o Operation) mutates() bool {
	switch o {
	case OpProvision, OpUpdate, OpDeprovision, OpBind, OpUnbind:
		return true
	}
	return false
}

// OrphanOnFailed says whether orphan mitigation is due when a poll for o ended
// with StateFailed (P122, P123) or at the polling deadline (P100).
func (o Operation) OrphanOnFailed() bool { return o.mutates() && o != OpUpdate }
