package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestNothingIsLostAndNothingForeignIsTouched kills, disturbs and edits at
// random, then lets everything heal, and looks at what the broker holds. On the
// way no request follows on another one under the same id whose outcome is not
// known, unless it asks for the same or states all.
func TestNothingIsLostAndNothingForeignIsTouched(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		steps := rapid.IntRange(1, 40).Draw(t, "steps")
		for range steps {
			switch rapid.IntRange(0, 12).Draw(t, "what") {
			case 0:
				w.wish.plan = rapid.SampledFrom([]string{"small", "large", "refused"}).Draw(t, "plan")
			case 1:
				w.wish.params = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "parameters")
			case 2:
				w.deleting = w.deleting || rapid.IntRange(0, 3).Draw(t, "delete") == 0
			case 3:
				w.poked++
			case 4:
				w.f.Now = w.f.Now.Add(rapid.SampledFrom([]time.Duration{time.Minute, 2 * time.Hour}).Draw(t, "time passes"))
			default:
				w.pass(rapid.SampledFrom(faults()).Draw(t, "fault"))
			}
			if w.released {
				break
			}
		}
		for range 100 {
			if !w.released {
				w.pass(fine)
				w.f.Now = w.f.Now.Add(10 * time.Minute)
				w.heal()
			}
		}
		calls := w.calls
		for range 3 {
			if !w.released {
				w.pass(fine)
			}
		}
		require.Equal(t, calls, w.calls, "a quiet world is left alone")
		w.check()
	})
}

// heal ends, some time, even what the broker would never have ended, or what
// nobody asked about.
func (w *world) heal() {
	for id, t := range w.holds {
		if t.work == nil {
			continue
		}
		if t.work.polls--; t.work.polls > -20 {
			continue
		}
		if t.work.outcome == asyncFails {
			t.work = nil
		} else {
			w.end(id, t, *t.work)
		}
	}
}

func (w *world) check() {
	var own []string
	for held := range w.holds {
		if held != w.foreign {
			own = append(own, held)
		}
	}
	slices.Sort(own)
	if w.foreign != "" {
		require.Contains(w.t, w.holds, w.foreign)
	}
	refused := w.f.Op != nil && w.f.Op.Terminal
	switch {
	case w.deleting:
		require.True(w.t, w.released, "a deleted object goes")
		if !w.given {
			require.Empty(w.t, own, "a deleted object leaves nothing behind")
		}
	case w.f.Exists:
		require.Contains(w.t, w.holds, w.f.ExternalID, "what is said to exist exists")
		if !refused {
			is, want := w.holds[w.f.ExternalID].is, w.facts().Wish
			require.Equal(w.t, want.PlanID, is.plan, "and is what is asked for")
			if want.Checksum != "unknown" {
				require.Equal(w.t, want.Checksum, is.params)
			}
		}
		if !w.given {
			require.Equal(w.t, []string{w.f.ExternalID}, own, "and is all there is")
		}
	default:
		require.True(w.t, refused, "what is not there was refused")
		if !w.given {
			require.Empty(w.t, own, "a refused create leaves nothing behind")
		}
	}
}
