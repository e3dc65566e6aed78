package rotation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/rotation"
)

const day = 24 * time.Hour

var born = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func TestPolicyOf(t *testing.T) {
	t.Parallel()
	assert.Equal(t, rotation.Policy{Overlap: 10 * time.Minute}, rotation.PolicyOf(nil))
	assert.Equal(t, rotation.Policy{Overlap: 10 * time.Minute}, rotation.PolicyOf(&v1beta1.RotationPolicy{Overlap: duration(time.Second)}),
		"an overlap is never shorter than ten minutes")
	assert.Equal(t, rotation.Policy{
		Interval: 30 * day, Overlap: time.Hour, MaxOverlap: 2 * day, Window: rotation.Window{Start: 150 * time.Minute, Length: 2 * time.Hour},
	}, rotation.PolicyOf(&v1beta1.RotationPolicy{
		Interval: duration(30 * day), Overlap: duration(time.Hour), MaxOverlap: duration(2 * day),
		Window: &v1beta1.RotationWindow{Start: "02:30", Duration: metav1.Duration{Duration: 2 * time.Hour}},
	}))
}

func TestNext(t *testing.T) {
	t.Parallel()
	month := rotation.Policy{Interval: 30 * day, Overlap: 10 * time.Minute}
	atNight := month
	atNight.Window = rotation.Window{Start: 23 * time.Hour, Length: 2 * time.Hour}
	for name, tc := range map[string]struct {
		p               rotation.Policy
		expires, renew  time.Duration
		earliest, limit time.Duration
		cause           string
	}{
		"what has no policy and no end stays":                         {p: rotation.PolicyOf(nil)},
		"the interval, up to a tenth earlier":                         {p: month, earliest: 27 * day, limit: 30 * day, cause: rotation.CauseInterval},
		"an end without a policy is reason enough":                    {p: rotation.PolicyOf(nil), expires: 10 * day, earliest: 8 * day, limit: 9 * day, cause: rotation.CauseExpiry},
		"the broker's own term goes before the end":                   {p: rotation.PolicyOf(nil), expires: 20 * day, renew: 10 * day, earliest: 8 * day, limit: 9 * day, cause: rotation.CauseExpiry},
		"a term after the end is none":                                {p: rotation.PolicyOf(nil), expires: 10 * day, renew: 20 * day, earliest: 8 * day, limit: 9 * day, cause: rotation.CauseExpiry},
		"a term alone will do":                                        {p: rotation.PolicyOf(nil), renew: 10 * day, earliest: 8 * day, limit: 9 * day, cause: rotation.CauseExpiry},
		"the end goes before the interval":                            {p: month, expires: 10 * day, earliest: 8 * day, limit: 9 * day, cause: rotation.CauseExpiry},
		"the interval goes before the end":                            {p: month, expires: 90 * day, earliest: 27 * day, limit: 30 * day, cause: rotation.CauseInterval},
		"the overlap is before the end":                               {p: rotation.Policy{Overlap: 2 * day}, expires: 10 * day, earliest: 6 * day, limit: 8 * day, cause: rotation.CauseExpiry},
		"a life shorter than the overlap is half lived":               {p: rotation.PolicyOf(nil), expires: 8 * time.Minute, earliest: 4 * time.Minute, limit: 4 * time.Minute, cause: rotation.CauseExpiry},
		"what was dead when it was stored is not renewed without end": {p: rotation.PolicyOf(nil), expires: -time.Hour, earliest: 10 * time.Minute, limit: 10 * time.Minute, cause: rotation.CauseExpiry},
		"nor what is as good as dead":                                 {p: rotation.PolicyOf(nil), expires: 20 * time.Second, earliest: 10 * time.Minute, limit: 10 * time.Minute, cause: rotation.CauseExpiry},
		"the window makes it later":                                   {p: atNight, earliest: 27 * day, limit: 31 * day, cause: rotation.CauseInterval},
		"an end does not wait for the window":                         {p: atNight, expires: 10 * day, earliest: 8 * day, limit: 9 * day, cause: rotation.CauseExpiry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range 50 {
				c := rotation.Credential{Born: born, Seed: fmt.Sprint(seed)}
				if tc.expires != 0 {
					c.ExpiresAt = born.Add(tc.expires)
				}
				if tc.renew != 0 {
					c.RenewBefore = born.Add(tc.renew)
				}
				at, cause, ok := rotation.Next(tc.p, c, born)
				require.Equal(t, tc.cause, cause)
				require.Equal(t, tc.cause != "", ok)
				if !ok {
					return
				}
				require.WithinRange(t, at, born.Add(tc.earliest), born.Add(tc.limit))
				again, _, _ := rotation.Next(tc.p, c, born)
				require.Equal(t, at, again, "a restart changes nothing")
			}
		})
	}
}

func TestWhatWasMadeTogetherIsNotRenewedTogether(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]rotation.Policy{
		"by interval":   {Interval: 10 * day},
		"in a window":   {Interval: day, Window: rotation.Window{Start: 2 * time.Hour, Length: 2 * time.Hour}},
		"before an end": {},
	} {
		hours := map[string]int{}
		for n := range 1000 {
			c := rotation.Credential{Born: born, Seed: fmt.Sprintf("binding-%d", n)}
			if p.Interval == 0 {
				c.ExpiresAt = born.Add(10 * day)
			}
			at, _, _ := rotation.Next(p, c, born)
			hours[at.Truncate(10*time.Minute).Format(time.RFC3339)]++
		}
		for hour, n := range hours {
			assert.Less(t, n, 300, "%s: at %s", name, hour)
		}
	}
}

func TestAMissedWindowIsNotMadeUpForOutside(t *testing.T) {
	t.Parallel()
	p := rotation.Policy{Interval: day, Window: rotation.Window{Start: 2 * time.Hour, Length: 2 * time.Hour}}
	c := rotation.Credential{Born: born, Seed: "a"}
	at := func(now time.Time) time.Time {
		t, _, _ := rotation.Next(p, c, now)
		return t
	}
	planned := at(born)
	noon := planned.Truncate(day).Add(12 * time.Hour)
	assert.WithinRange(t, at(noon), noon.Add(14*time.Hour), noon.Add(15*time.Hour), "at noon it is too late: tomorrow")
	tomorrow := noon.Add(15 * time.Hour)
	assert.False(t, at(tomorrow).After(tomorrow), "then it is due")
	c.ExpiresAt = born.Add(day + 20*time.Hour)
	assert.True(t, at(noon).Before(noon.Add(8*time.Hour)), "what expires does not wait for the window")
}

// TestWindows holds each rotation by interval to its window, and to the first one.
func TestWindows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := rotation.Window{
			Start:  time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "start")) * time.Minute,
			Length: time.Duration(rapid.IntRange(1, 24*60).Draw(t, "length")) * time.Minute,
		}
		p := rotation.Policy{Interval: time.Duration(rapid.IntRange(1, 3000).Draw(t, "interval")) * time.Minute, Window: w}
		c := rotation.Credential{Born: born, Seed: rapid.StringN(1, 8, 8).Draw(t, "seed")}
		at, _, ok := rotation.Next(p, c, born)
		require.True(t, ok)
		since := at.Sub(at.Truncate(day))
		in := since >= w.Start && since < w.Start+w.Length || since+day < w.Start+w.Length
		require.True(t, in, "%s is in the window from %s for %s", at, w.Start, w.Length)
		p.Window = rotation.Window{}
		wanted, _, _ := rotation.Next(p, c, born)
		require.False(t, at.Before(wanted))
		require.Less(t, at.Sub(wanted), day+w.Length)
	})
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	policy := rotation.Policy{Overlap: time.Hour, MaxOverlap: 2 * day}
	patient := rotation.Policy{Overlap: time.Hour}
	expires := born.Add(day)
	old := rotation.Replaced("b1", policy, time.Time{}, born)
	dying := rotation.Replaced("b1", policy, expires, born)
	for name, tc := range map[string]struct {
		p    rotation.Policy
		old  v1beta1.Predecessor
		used bool
		at   time.Duration
		want rotation.Verdict
	}{
		"within the overlap it is kept":                   {policy, old, false, 20 * time.Minute, rotation.Verdict{Wait: 10 * time.Minute}},
		"from the half of it on it is told who has it":    {policy, old, false, 30 * time.Minute, rotation.Verdict{Look: true, Wait: 30 * time.Minute}},
		"also if it is used":                              {policy, old, true, 40 * time.Minute, rotation.Verdict{Look: true, Wait: 20 * time.Minute}},
		"after it what nobody uses goes":                  {policy, old, false, time.Hour, rotation.Verdict{Revoke: true}},
		"after it what is used is kept":                   {policy, old, true, time.Hour, rotation.Verdict{InUse: true, Wait: rotation.Recheck}},
		"and looked at exactly when its time is over":     {policy, old, true, 2*day - time.Second, rotation.Verdict{InUse: true, Wait: time.Second}},
		"maxOverlap ends it":                              {policy, old, true, 2 * day, rotation.Verdict{Revoke: true, Forced: true}},
		"without maxOverlap it is kept as long as used":   {patient, old, true, 400 * day, rotation.Verdict{InUse: true, Wait: rotation.Recheck}},
		"what has expired by any clock goes, used or not": {policy, dying, true, day + rotation.Skew, rotation.Verdict{Revoke: true}},
		"what has expired by our clock alone is kept":     {policy, dying, true, day, rotation.Verdict{InUse: true, Wait: rotation.Recheck}},
		"what expires within its overlap is kept till it": {rotation.Policy{Overlap: 2 * day}, rotation.Replaced("b1", rotation.Policy{Overlap: 2 * day}, expires, born), false, day - time.Hour, rotation.Verdict{Look: true, Wait: time.Hour + rotation.Skew}},
		"a policy that was shortened spares the overlap":  {rotation.Policy{Overlap: 10 * time.Minute}, old, false, 40 * time.Minute, rotation.Verdict{Look: true, Wait: 20 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, rotation.Revoke(tc.p, tc.old, tc.used, born.Add(tc.at)))
		})
	}
}
