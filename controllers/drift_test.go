package controllers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"
)

func TestChecksAreSpreadOverTheirInterval(t *testing.T) {
	t.Parallel()
	var c checks
	now, first := time.Unix(0, 0), map[time.Duration]bool{}
	for _, id := range []types.UID{"a", "bb", "ccc", "4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468"} {
		_, wait := c.due(id, time.Hour, now)
		assert.Less(t, wait, time.Hour)
		first[wait] = true
		due, _ := c.due(id, time.Hour, now.Add(time.Hour))
		assert.True(t, due, "each comes within the interval")
		c.done(id, time.Hour, now.Add(time.Hour))
		due, wait = c.due(id, time.Hour, now.Add(time.Hour))
		assert.False(t, due)
		assert.Equal(t, time.Hour, wait)
		_, wait = c.due(id, time.Minute, now.Add(time.Hour))
		assert.LessOrEqual(t, wait, time.Minute, "a shorter interval holds at once")
	}
	assert.Len(t, first, 4)
	due, wait := c.due("a", 0, now)
	assert.False(t, due)
	assert.Zero(t, wait)
	assert.Len(t, c.next, 3, "who wants no more of it is forgotten")
}
