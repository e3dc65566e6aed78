package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

var laneStart = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestALaneServesInTurn(t *testing.T) {
	t.Parallel()
	l, now := newLane(limits{2, 1000}), laneStart
	enter := func(id types.UID) bool {
		ok, wait := l.enter(id, now)
		assert.Equal(t, ok, wait == 0)
		return ok
	}
	assert.True(t, enter("a") && enter("b"))
	assert.False(t, enter("c") || enter("d"))
	assert.Equal(t, []types.UID{"c"}, l.leave(now))
	assert.False(t, enter("e"), "the place is kept for the one that waited longest")
	assert.False(t, enter("d"))
	assert.True(t, enter("c"))
	assert.Equal(t, []types.UID{"d"}, l.leave(now))
	now = now.Add(keptPlace + time.Second)
	assert.True(t, enter("e"), "nobody keeps a place for one that does not come")
	l.leave(now)
	l.leave(now)
	assert.True(t, enter("d") && enter("f"))
}

func TestALaneKeepsARate(t *testing.T) {
	t.Parallel()
	l, now := newLane(limits{100, 10}), laneStart
	for n := range 10 {
		ok, _ := l.enter(types.UID(fmt.Sprint(n)), now)
		require.True(t, ok, "a burst of a second's worth")
	}
	ok, wait := l.enter("next", now)
	assert.False(t, ok)
	assert.Equal(t, 100*time.Millisecond, wait)
	_, wait = l.enter("after", now)
	assert.Equal(t, 200*time.Millisecond, wait, "each has a moment of its own")
	_, wait = l.enter("next", now.Add(30*time.Millisecond))
	assert.Equal(t, 70*time.Millisecond, wait, "and keeps it")
	ok, _ = l.enter("next", now.Add(100*time.Millisecond))
	assert.True(t, ok)
}

func TestALaneTriesABrokerThatDoesNotAnswerOnceAtATime(t *testing.T) {
	t.Parallel()
	l, now := newLane(limits{10, 1000}), laneStart
	for _, id := range []types.UID{"a", "b", "c", "d", "e", "f"} {
		ok, _ := l.enter(id, now)
		require.True(t, ok)
	}
	for range circuitThreshold {
		l.circuit.record(unanswered, 0, now)
		require.Empty(t, l.leave(now))
	}
	ok, wait := l.enter("x", now)
	assert.False(t, ok)
	assert.Equal(t, firstPause, wait, "the first to wait tries again when the pause ends")
	_, wait = l.enter("y", now)
	assert.GreaterOrEqual(t, wait, firstPause)
	now = now.Add(firstPause)
	ok, _ = l.enter("y", now)
	assert.False(t, ok, "one at a time, although places are free")
	ok, _ = l.enter("x", now)
	assert.True(t, ok, "the sixth request still hangs, and hinders nobody")
	ok, _ = l.enter("y", now)
	assert.False(t, ok)
	l.circuit.record(answered, 0, now)
	assert.Equal(t, []types.UID{"y"}, l.admit(now))
}

func TestALaneTakesChangedLimits(t *testing.T) {
	t.Parallel()
	l := newLane(limits{1, 1000})
	ok, _ := l.enter("a", laneStart)
	require.True(t, ok)
	l.resize(limits{2, 1}, laneStart)
	ok, _ = l.enter("b", laneStart)
	assert.True(t, ok)
	l.resize(limits{3, 1}, laneStart)
	ok, wait := l.enter("c", laneStart)
	assert.False(t, ok)
	assert.Positive(t, wait)
}

// TestALaneIsFairAndKeepsItsLimits lets objects come, go and be forgotten at random.
func TestALaneIsFairAndKeepsItsLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		l, now := newLane(limits{limit, 1000}), laneStart
		inside := map[types.UID]bool{}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
			id := types.UID(fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "object")))
			switch v := verdict(rapid.IntRange(0, 3).Draw(t, "verdict")); {
			case inside[id]:
				l.circuit.record(v, time.Second, now)
				delete(inside, id)
				l.leave(now)
			default:
				paused := l.circuit.wait(now) > 0
				if ok, wait := l.enter(id, now); ok {
					require.False(t, paused, "nothing is sent in a pause")
					inside[id] = true
				} else {
					require.Positive(t, wait, "who may not enter is told when to ask again")
				}
			}
			require.Equal(t, len(inside), l.running)
			require.LessOrEqual(t, l.running, limit)
			require.Len(t, slices.Compact(slices.Sorted(slices.Values(l.queue))), len(l.queue), "nobody waits twice")
		}
		// Then the broker is well: everybody gets a turn.
		for id := range inside {
			delete(inside, id)
			l.circuit.record(answered, 0, now)
			l.leave(now)
		}
		now = now.Add(10 * time.Minute)
		served := map[types.UID]bool{}
		for range 100 {
			now = now.Add(keptPlace + time.Second)
			for n := range 10 {
				id := types.UID(fmt.Sprint(n))
				if served[id] {
					continue
				}
				if ok, _ := l.enter(id, now); ok {
					served[id] = true
					l.circuit.record(answered, 0, now)
					l.leave(now)
				}
			}
		}
		require.Len(t, served, 10, "nobody waits for ever")
	})
}
