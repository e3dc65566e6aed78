package controllers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/svc-cat/catalog/osb"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		o    osb.Observation
		want verdict
	}{
		"a success":                         {osb.Observation{StatusCode: 200}, answered},
		"a refusal":                         {osb.Observation{StatusCode: 422, Kind: osb.KindRejected}, answered},
		"a failure of the broker's own":     {osb.Observation{StatusCode: 500, Kind: osb.KindUnavailable}, answered},
		"503 of a broker that is busy":      {osb.Observation{StatusCode: 503, Kind: osb.KindUnavailable}, unanswered},
		"503 with a time to come back":      {osb.Observation{StatusCode: 503, Kind: osb.KindUnavailable, RetryAfter: time.Second}, throttled},
		"too many requests":                 {osb.Observation{StatusCode: 429, Kind: osb.KindUnavailable}, throttled},
		"a proxy before a broker that fell": {osb.Observation{StatusCode: 502, Kind: osb.KindUnavailable}, unanswered},
		"a proxy that waited too long":      {osb.Observation{StatusCode: 504, Kind: osb.KindUnavailable}, unanswered},
		"no connection":                     {osb.Observation{Kind: osb.KindUnavailable}, unanswered},
		"a timeout":                         {osb.Observation{Kind: osb.KindTimeout}, unanswered},
		"a certificate of somebody else":    {osb.Observation{Kind: osb.KindUntrusted}, unanswered},
		"a call that we gave up":            {osb.Observation{Kind: osb.KindCanceled}, silent},
		"an address that we refuse":         {osb.Observation{Kind: osb.KindAddressRefused}, silent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, judge(tc.o))
		})
	}
}

func TestCircuit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	var c circuit
	fail := func(times int) (changed bool) {
		for range times {
			changed = c.record(unanswered, 0, now) || changed
		}
		return changed
	}
	assert.False(t, fail(4), "four in a row are bad luck")
	c.record(answered, 0, now)
	assert.False(t, fail(4), "an answer between them begins the count anew")
	assert.True(t, fail(1))
	assert.Equal(t, 5*time.Second, c.wait(now))
	assert.False(t, fail(7), "what was on its way says nothing new")
	assert.Equal(t, 5*time.Second, c.wait(now))
	for _, seconds := range []int{10, 20, 40, 80, 120, 120} {
		now = now.Add(c.wait(now))
		assert.Zero(t, c.wait(now))
		assert.True(t, c.open(), "the pause is over, and one may try")
		assert.False(t, fail(1), "it was open already")
		assert.InDelta(t, seconds, c.wait(now).Seconds(), 0)
	}
	assert.True(t, c.record(answered, 0, now))
	assert.False(t, c.open())
	assert.Zero(t, c.wait(now), "one answer, even to an old request, and all goes on")

	assert.True(t, c.record(throttled, time.Minute, now))
	assert.True(t, c.asked)
	assert.Equal(t, time.Minute, c.wait(now))
	c.record(throttled, time.Hour, now)
	assert.Equal(t, 5*time.Minute, c.wait(now), "no broker stops all work for an hour")
	c.record(silent, 0, now)
	assert.True(t, c.open())
}
