package controllers

import (
	"net/http"
	"time"

	"github.com/svc-cat/catalog/osb"
)

const (
	// circuitThreshold is how many requests in a row must stay without an answer
	// before a broker is left alone.
	circuitThreshold = 5
	// firstPause is how long it is left alone then; it doubles with each probe that
	// fails, up to maxPause.
	firstPause = 5 * time.Second
	maxPause   = 2 * time.Minute
	// maxThrottle bounds how long a broker can keep all requests away by Retry-After.
	maxThrottle = 5 * time.Minute
)

// verdict is what one request says about its broker as a whole.
type verdict int

const (
	// answered: the broker is there, whatever it said.
	answered verdict = iota
	// unanswered: no answer came, or a proxy's in its place.
	unanswered
	// throttled: the broker asked to be left alone for a while.
	throttled
	// silent: the request says nothing about the broker, such as one we gave up.
	silent
)

// judge sorts an observation. A 500 is an answer: it is about one request, while
// 502 to 504 come from what stands before a broker that is not there.
func judge(o osb.Observation) verdict {
	switch {
	case o.Kind == osb.KindCanceled, o.Kind == osb.KindInvalid, o.Kind == osb.KindAddressRefused:
		return silent
	case o.StatusCode == http.StatusTooManyRequests,
		o.StatusCode == http.StatusServiceUnavailable && o.RetryAfter > 0:
		return throttled
	case o.StatusCode >= http.StatusBadGateway && o.StatusCode <= http.StatusGatewayTimeout:
		return unanswered
	case o.StatusCode == 0 && o.Kind != "":
		return unanswered
	}
	return answered
}

// circuit decides whether a broker is asked at all. It is closed while the broker
// answers, open for a pause when it does not, and then lets one request at a time
// through until one is answered. It knows no clock; its caller tells the time.
type circuit struct {
	// failures in a row while closed.
	failures int
	// pauses in a row.
	pauses int
	// until is when the pause ends; zero while closed.
	until time.Time
	// probing: after a pause, a request is on its way.
	probing bool
	// asked: the pause was the broker's own wish.
	asked bool
}

// wait is how long nothing may be sent; 0 means that something may.
func (c *circuit) wait(now time.Time) time.Duration { return max(0, c.until.Sub(now)) }

// open says whether the broker is thought not to answer.
func (c *circuit) open() bool { return !c.until.IsZero() }

// record takes in how a request ended and tells whether the circuit opened or
// closed by it.
func (c *circuit) record(v verdict, retryAfter time.Duration, now time.Time) (changed bool) {
	was := c.open()
	switch v {
	case answered:
		*c = circuit{}
	case throttled:
		c.asked = true
		c.until = later(c.until, now.Add(min(maxThrottle, max(retryAfter, firstPause))))
	case unanswered:
		c.failures++
		if c.wait(now) > 0 || !was && c.failures < circuitThreshold {
			break // requests from before the pause say nothing new
		}
		c.until, c.asked = now.Add(min(maxPause, firstPause<<min(c.pauses, 10))), false
		c.pauses++
	case silent:
	}
	return was != c.open()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
