package lifecycle

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	firstBackoff = 2 * time.Second
	maxBackoff   = 5 * time.Minute
	// maxBusy is for a broker that works on the very thing: it is soon done.
	maxBusy = 30 * time.Second

	firstPoll = time.Second
	maxPoll   = 2 * time.Minute
)

// Backoff is how long to wait after the given number of failures in a row: 2 s,
// doubling, at most 5 minutes. Up to a fifth is taken off, by seed, so that
// objects that failed together do not return together.
func Backoff(failures int32, seed string) time.Duration {
	d := maxBackoff
	if failures < 9 { // 2 s << 8 is beyond the cap
		d = min(maxBackoff, firstBackoff<<max(0, failures-1))
	}
	return spread(d, fmt.Sprintf("%s/%d", seed, failures))
}

// PollWait is how long to wait before a broker is asked again how it is getting on
// with what it has worked on for elapsed: what it asked for (Retry-After), else a
// quarter of that time, between 1 s and 2 minutes, with up to a fifth taken off by
// seed. So the end of work is noticed late by at most a quarter of what it took,
// and nothing has to be remembered for it over a restart.
func PollWait(elapsed, asked time.Duration, seed string) time.Duration {
	if asked > 0 {
		return asked
	}
	d := min(max(elapsed/4, firstPoll), maxPoll)
	return spread(d, fmt.Sprintf("%s/%d", seed, elapsed/time.Second))
}

// spread takes up to a fifth off d.
func spread(d time.Duration, seed string) time.Duration {
	h := uuid.NewSHA1(uuid.NameSpaceOID, []byte(seed))
	return d - time.Duration(h[0])*d/(5*256)
}
