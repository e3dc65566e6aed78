package controllers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPace(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	p := newPace(3, time.Minute)
	begun := map[int]int{} // by second
	for second := range 300 {
		at := now.Add(time.Duration(second) * time.Second)
		for p.enter(at) == 0 {
			begun[second]++
		}
		within := 0
		for s := second; s > second-60; s-- {
			within += begun[s]
		}
		assert.LessOrEqual(t, within, 3, "at second %d", second)
	}
	assert.Equal(t, map[int]int{0: 3, 60: 3, 120: 3, 180: 3, 240: 3}, begun)
	assert.Equal(t, time.Second, p.enter(now.Add(299*time.Second)))
}
