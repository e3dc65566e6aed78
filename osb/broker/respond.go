package broker

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/svc-cat/catalog/osb"
)

// errorBody is what the platform is told with an error (P11).
type errorBody struct {
	Error            string `json:"error,omitempty"`
	Description      string `json:"description,omitempty"`
	InstanceUsable   *bool  `json:"instance_usable,omitempty"`
	UpdateRepeatable *bool  `json:"update_repeatable,omitempty"`
}

// fail writes the answer for err. The log gets the whole error, the platform its public part.
func (s *server) fail(w http.ResponseWriter, rec *record, err error) {
	e := answerFor(err)
	body := errorBody{Error: e.Word, Description: e.Description}
	if rec.operation == osb.OpUpdate || rec.operation == osb.OpDeprovision { // B5
		body.InstanceUsable, body.UpdateRepeatable = e.InstanceUsable, e.UpdateRepeatable
	}
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="service broker"`)
	}
	rec.err = err
	raw, _ := json.Marshal(body) // strings and booleans: cannot fail
	s.write(w, rec, reply{status: e.Status, retryAfter: e.RetryAfter}, raw)
}

// succeed writes a reply. One that cannot be encoded is the broker's bug and a 500.
func (s *server) succeed(w http.ResponseWriter, rec *record, answer reply) {
	raw := []byte("{}") // the spec wants an object where there is nothing to say
	if answer.body != nil {
		var err error
		if raw, err = json.Marshal(answer.body); err != nil {
			// The cause may quote a value; the operation in the log is enough to find it.
			s.fail(w, rec, errInternal.Describe("the broker's answer cannot be written as JSON"))
			return
		}
	}
	s.write(w, rec, answer, raw)
}

// write sends status, headers and raw, which has been encoded before the first
// byte goes out: nothing can turn a success into a failure half way.
func (s *server) write(w http.ResponseWriter, rec *record, answer reply, raw []byte) {
	rec.status = answer.status
	for k, v := range answer.header {
		w.Header()[k] = v
	}
	if answer.retryAfter > 0 {
		seconds := int64((answer.retryAfter + time.Second - 1) / time.Second) // never earlier than asked
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if answer.status == http.StatusNotModified {
		w.WriteHeader(answer.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(answer.status)
	if _, err := w.Write(raw); err != nil && rec.err == nil {
		rec.err = err // the platform has gone; it is for the log only
	}
}

func isObject(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && raw[0] == '{'
}
