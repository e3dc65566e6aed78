package osb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// validator is implemented by answers whose JSON can be well formed and still outside the spec.
type validator interface{ validate() error }

// decode reads one JSON object, and nothing after it, into out. It goes by the
// content, not by Content-Type (P8); unknown fields are ignored (P10), null is
// absent, also for the whole body. Its errors quote nothing of the body, which
// may hold credentials.
func decode(body []byte, out any) error {
	body = bytes.TrimSpace(trimBOM(body))
	switch {
	case len(body) == 0:
		return errors.New("body is empty, want a JSON object")
	case !utf8.Valid(body):
		return errors.New("body is not UTF-8") // decoding would silently change a password
	}
	if err := Unmarshal(body, out); err != nil {
		return jsonError(err)
	}
	if v, ok := out.(validator); ok {
		return v.validate()
	}
	return nil
}

// jsonError says where the fault is and leaves out what stands there.
func jsonError(err error) error {
	var (
		syntax *json.SyntaxError
		typed  *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("body is malformed JSON near byte %d", syntax.Offset)
	case errors.As(err, &typed) && typed.Field == "":
		return errors.New("not a JSON object")
	case errors.As(err, &typed):
		return fmt.Errorf("field %q has the wrong type", typed.Field)
	}
	return err // our own unmarshalers, which quote nothing either
}

func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) }

func (r *LastOperationResponse) validate() error {
	switch r.State {
	case StateInProgress, StateSucceeded, StateFailed:
		return nil
	}
	return errors.New("state is none of \"in progress\", \"succeeded\", \"failed\"")
}

// errorBody is what a broker says with an error (P11). It is read by
// encoding/json, in any case: some brokers write "Description".
type errorBody struct {
	Error            lenientString `json:"error"`
	Description      lenientString `json:"description"`
	InstanceUsable   lenientBool   `json:"instance_usable"`
	UpdateRepeatable lenientBool   `json:"update_repeatable"`
}

// lenientString ignores a value of another type, so that one odd field does
// not hide the others.
type lenientString string

func (s *lenientString) UnmarshalJSON(data []byte) error {
	var v string
	if json.Unmarshal(data, &v) == nil {
		*s = lenientString(v)
	}
	return nil
}

// lenientBool is nil unless the value is a boolean.
type lenientBool struct{ v *bool }

func (b *lenientBool) UnmarshalJSON(data []byte) error {
	var v *bool
	if json.Unmarshal(data, &v) == nil {
		b.v = v
	}
	return nil
}

// readBody takes over what the broker itself says. A body that is no JSON
// object, such as a router's HTML, is never copied.
func (e *Error) readBody(a Answer, clean func(string) string) {
	var b errorBody
	if a.StatusCode < 400 || a.foreign() || json.Unmarshal(trimBOM(a.Body), &b) != nil {
		return
	}
	e.Word, e.Description = clean(string(b.Error)), clean(string(b.Description))
	e.InstanceUsable, e.UpdateRepeatable = b.InstanceUsable.v, b.UpdateRepeatable.v
}

// maxText is how much of a broker's sentence is kept.
const maxText = 1 << 10

// cleanText makes foreign text fit for a condition or a log: one line, no
// control characters, valid UTF-8, at most 1 KiB.
func cleanText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, r == utf8.RuneError,
			r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return -1 // controls, and marks that reorder or hide text
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) <= maxText {
		return s
	}
	cut := maxText - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// clean is cleanText without our own credentials, should a broker repeat them.
func (c *Client) clean(s string) string { return cleanText(c.cfg.Auth.redact(s)) }

// cleanedError has a text fit for users and keeps the chain for errors.Is.
type cleanedError struct {
	text string
	err  error
}

func (e *cleanedError) Error() string { return e.text }
func (e *cleanedError) Unwrap() error { return e.err }

// localAddress is our own side of a connection, as package net writes it.
var localAddress = regexp.MustCompile(`\S+:\d+->`)

// cleanError leaves our own address out of the text: its port is another each
// time, and a condition or event that repeats the text would change with it.
func (c *Client) cleanError(err error) error {
	if err == nil {
		return nil
	}
	return &cleanedError{text: c.clean(localAddress.ReplaceAllString(err.Error(), "")), err: err}
}

// MaxRetryAfter is the longest wait that ParseRetryAfter returns.
const MaxRetryAfter = time.Hour

// ParseRetryAfter reads a Retry-After header, seconds or an HTTP date (P47),
// and clamps it to 0 … MaxRetryAfter. What cannot be read is 0.
func ParseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter // more digits than an int64 holds
		}
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), MaxRetryAfter)
}
