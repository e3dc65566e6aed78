package test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/svc-cat/catalog/osb"
)

// exchange is one request and its answer.
type exchange struct {
	b        *Broker
	c        *call
	w        http.ResponseWriter
	r        *http.Request
	own      *own // what the broker itself would answer, once the request was carried out
	sent     int  // the status that went out
	hijacked bool
}

// play lets happen what the rule says: wait, take effect, answer.
func (x *exchange) play() Outcome {
	effect := x.c.do.effect()
	if x.c.rule != nil {
		// A rule may take longer than the server lets a request.
		control := http.NewResponseController(x.w)
		_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}) // not every server has them
	}
	if effect == EffectFirst {
		x.carryOut()
	}
	if !x.pause() {
		return OutcomeClosed
	}
	if effect == EffectBefore {
		x.carryOut()
	}
	x.note()
	outcome := x.answer()
	if effect == EffectAfter && outcome != OutcomeClosed {
		if x.sent != 0 { // else there is no answer: flushing would make one, or panic after a reset
			_ = http.NewResponseController(x.w).Flush() // the answer is out before the effect
		}
		x.carryOut()
	}
	return outcome
}

// pause is the rule's latency, and its holding. It returns false if the broker
// closed meanwhile.
func (x *exchange) pause() bool {
	do := &x.c.do
	if do.Latency == 0 && !do.Hold {
		return true
	}
	if !x.b.enter() {
		return false
	}
	defer x.b.leave()
	if do.Latency > 0 && !x.wait(time.Duration(do.Latency), nil, nil) {
		return false
	}
	return !do.Hold || x.wait(0, x.c.rule.gone, nil)
}

// enter counts a request that waits, and refuses one too many.
func (b *Broker) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting >= b.opts.MaxWaiting {
		b.opts.Logger.Warn("A request was cut off: too many wait", "waiting", b.waiting)
		return false
	}
	b.waiting++
	return true
}

func (b *Broker) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting--
}

// note remembers what the platform is about to be told of the instance: it must
// heed that from now on (P88, P89).
func (x *exchange) note() {
	do, e := &x.c.do, x.c.entry
	if e.Operation != osb.OpUpdate && e.Operation != osb.OpDeprovision || do.status() < http.StatusBadRequest {
		return
	}
	x.b.mu.Lock()
	defer x.b.mu.Unlock()
	i := x.b.engine.instance(e.InstanceID)
	if i == nil || !isFalse(do.InstanceUsable) && !isFalse(do.UpdateRepeatable) {
		return
	}
	i.Unusable = i.Unusable || isFalse(do.InstanceUsable)
	if isFalse(do.UpdateRepeatable) && e.Operation == osb.OpUpdate {
		i.Unrepeatable = compact(x.c.body)
	}
	x.b.engine.keepInstance(i)
}

// answer gives the platform what it gets.
func (x *exchange) answer() Outcome {
	do := &x.c.do
	switch {
	case do.Hang:
		return x.hang()
	case do.Cut == CutReset:
		return x.reset()
	case do.Cut == CutClose:
		return OutcomeCut
	}
	// Asked before the first byte: who has it all may hang up as well.
	gone := x.r.Context().Err() != nil
	status, body, length := x.compose()
	x.w.WriteHeader(status)
	x.sent = status
	if !bodyAllowed(status) {
		return OutcomeAnswered
	}
	if do.Cut == CutMidway {
		_, _ = io.CopyN(x.w, body, max(1, length/2)) // it is lost on purpose
		_ = http.NewResponseController(x.w).Flush()
		return OutcomeCut
	}
	if do.Drip > 0 {
		return x.drip(body)
	}
	if _, err := io.Copy(x.w, body); err != nil || gone {
		return OutcomeLost
	}
	return OutcomeAnswered
}

// hang keeps the connection without a word.
func (x *exchange) hang() Outcome {
	if !x.b.enter() {
		return OutcomeClosed
	}
	defer x.b.leave()
	if !x.wait(0, x.r.Context().Done(), x.c.rule.gone) {
		return OutcomeClosed
	}
	return OutcomeHung
}

// reset ends the connection with a TCP reset. Where that cannot be had, as on
// HTTP/2, it is closed.
func (x *exchange) reset() Outcome {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return OutcomeCut
	}
	x.hijacked = true
	raw := conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = secured.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the end is in good order, which is a cut too
	}
	_ = raw.Close()
	return OutcomeCut
}

// drip sends a byte at a time.
func (x *exchange) drip(body io.Reader) Outcome {
	if !x.b.enter() {
		return OutcomeClosed
	}
	defer x.b.leave()
	control := http.NewResponseController(x.w)
	one := make([]byte, 1)
	for {
		if n, err := body.Read(one); n == 0 {
			if err == io.EOF {
				return OutcomeAnswered
			}
			continue
		}
		if control.Flush() != nil || x.r.Context().Err() != nil {
			return OutcomeLost
		}
		if !x.wait(time.Duration(x.c.do.Drip), x.r.Context().Done(), nil) {
			return OutcomeClosed
		}
		if _, err := x.w.Write(one); err != nil {
			return OutcomeLost
		}
	}
}

// compose sets the headers, and returns status, body and the body's length.
func (x *exchange) compose() (int, io.Reader, int64) {
	do, header := &x.c.do, x.w.Header()
	status, text := x.standard()
	kind := "application/json"
	var body io.Reader
	length := int64(-1)
	switch do.Body {
	case BodyMalformed:
		text = text[:(len(text)+1)/2]
	case BodyEmpty:
		text, kind = nil, ""
	case BodyNull:
		text = []byte("null")
	case BodyHTML:
		text, kind = []byte(htmlPage), "text/html; charset=utf-8"
	case BodyRaw:
		text = []byte(do.Raw)
	case BodyHuge:
		body, length = huge(do.BodyBytes)
	}
	if body == nil {
		body, length = bytes.NewReader(text), int64(len(text))
	}
	if kind != "" {
		header.Set("Content-Type", kind)
	}
	if bodyAllowed(status) {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	if do.RetryAfter != "" {
		header.Set("Retry-After", do.RetryAfter)
	}
	for name, value := range do.Header {
		header.Set(name, value)
	}
	return status, body, length
}

// standard is the answer as the API has it: the broker's own, or an error body.
func (x *exchange) standard() (int, []byte) {
	do := &x.c.do
	status := do.status()
	if x.own != nil {
		for name, values := range x.own.header {
			x.w.Header()[name] = values
		}
		x.w.Header().Del("Content-Length")
		if status == 0 {
			status = x.own.status
		}
	}
	if status == 0 {
		status = http.StatusOK // a rule that forbids the effect and says no code
	}
	if status >= http.StatusBadRequest && (x.own == nil || do.status() != 0) {
		raw, _ := json.Marshal(errorBody{ // strings and booleans: cannot fail
			Error: do.Error, Description: description(do), InstanceUsable: do.InstanceUsable, UpdateRepeatable: do.UpdateRepeatable,
		})
		return status, raw
	}
	if x.own == nil || x.own.status >= http.StatusBadRequest && do.status() != 0 {
		return status, []byte("{}")
	}
	return status, x.own.body.Bytes()
}

// errorBody is that of the API (P11).
type errorBody struct {
	Error            string `json:"error,omitempty"`
	Description      string `json:"description,omitempty"`
	InstanceUsable   *bool  `json:"instance_usable,omitempty"`
	UpdateRepeatable *bool  `json:"update_repeatable,omitempty"`
}

func description(do *Do) string {
	if do.Description != "" {
		return do.Description
	}
	return "the test broker was told to answer this"
}

// htmlPage is what a router or a login page in front of a broker sends.
const htmlPage = "<!DOCTYPE html>\n<html><head><title>Not the broker</title></head>" +
	"<body><h1>This is a page, and no answer of the API</h1></body></html>\n"

// defaultHuge is more than any platform should read.
const defaultHuge = 64 << 20

// huge is valid JSON of that many bytes, which nobody has to hold in memory.
func huge(size int64) (io.Reader, int64) {
	const begin, end = `{"services":[],"padding":"`, `"}`
	if size == 0 {
		size = defaultHuge
	}
	size = max(size, int64(len(begin)+len(end)))
	fill := size - int64(len(begin)+len(end))
	return io.MultiReader(strings.NewReader(begin), io.LimitReader(filler{}, fill), strings.NewReader(end)), size
}

// filler never ends.
type filler struct{}

func (filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
