package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// action is one step towards certificates that are as they should be.
type action string

const (
	stay         action = "stay"         // nothing to do until step.wait is over
	leaveAlone   action = "leaveAlone"   // the Secret is not ours
	waitForClock action = "waitForClock" // our clock is behind the API server's

	// The steps of a change of CA, in this order; publish comes after introduce and before retire.
	introduce action = "introduce" // store a next CA
	publish   action = "publish"   // make every caBundle what step.bundle says
	takeOver  action = "takeOver"  // the next CA signs the serving certificate and is the CA in force
	retire    action = "retire"    // forget the former CAs

	// Steps outside a change of CA.
	bootstrap    action = "bootstrap"    // a CA and a serving certificate at once
	issueLeaf    action = "issueLeaf"    // a serving certificate by the CA in force
	startOverlap action = "startOverlap" // note that the overlap of the former CAs begins now
	adopt        action = "adopt"        // keep CAs that we found published as former CAs
	clean        action = "clean"        // remove what cannot be used
)

// maxAdopted bounds how many unknown CAs are kept from a caBundle. A bundle of more is a public
// collection, not what our replicas' certificates are signed by.
const maxAdopted = 16

// step is what to do next and why, in words for an event.
type step struct {
	action action
	why    string
	wait   time.Duration
	bundle []*x509.Certificate // for publish
	adopt  []*x509.Certificate // to be kept as former CAs, whatever the action writes
}

// state is all that a decision depends on.
type state struct {
	exists, ours bool
	contents
	stores []trustStore
	// settled is since when the stores are known to hold the next CA, zero if they do not.
	settled time.Time
	// seen is the latest time that an API server wrote into an object we read: its clock was there.
	seen time.Time
}

// plan decides the next step. It is called again after each, with what the cluster then holds: no
// step relies on an earlier one having been made by this process.
//
// The rule it keeps: a certificate is served only while every API server trusts its signer, that is,
// from Settle after all bundles hold the signer until Overlap after its last certificate was
// replaced.
func plan(now time.Time, s state, cfg Config) step {
	if s.exists && !s.ours {
		return step{action: leaveAlone}
	}
	if now.Add(cfg.ClockSkew).Before(s.seen) {
		return step{action: waitForClock}
	}
	for _, decide := range []func(time.Time, state, Config) (step, bool){
		planLeaf, planSuccessor, planCleaning, planBundles, planTakeOver, planRetirement,
	} {
		if st, decided := decide(now, s, cfg); decided {
			st.adopt = s.strangers(now)
			return st
		}
	}
	return step{action: stay, wait: s.idle(now, cfg)}
}

// planLeaf comes first: a CA that is trusted already needs no waiting.
func planLeaf(now time.Time, s state, cfg Config) (step, bool) {
	if !s.active.canSign(now) {
		return step{}, false
	}
	why := leafFault(now, s, cfg)
	return step{action: issueLeaf, why: why}, why != ""
}

// leafFault says why the serving certificate must be replaced, or nothing.
func leafFault(now time.Time, s state, cfg Config) string {
	if s.leaf == nil {
		return "there was none that can be used"
	}
	crt, ca := s.leaf.cert, s.active.cert
	if expired(crt, now) {
		return fmt.Sprintf("the last one expired at %s", crt.NotAfter.UTC().Format(time.RFC3339))
	}
	for _, name := range dnsNames(cfg.Service, cfg.Namespace) {
		if crt.VerifyHostname(name) != nil {
			return fmt.Sprintf("the last one was not made for %s", name)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if _, err := crt.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		return "the last one was not a valid server certificate signed by our CA"
	}
	// One that ends with its CA gains nothing from being signed again.
	due := !now.Before(renewalTime(crt, cfg.LeafLifetime))
	if due && leafEnd(now, ca, cfg).After(crt.NotAfter.Add(time.Second)) {
		return "the last one was due for renewal"
	}
	return ""
}

// planSuccessor sees to it that there is a CA to sign with for long enough.
func planSuccessor(now time.Time, s state, cfg Config) (step, bool) {
	usable := s.active.canSign(now)
	if usable && now.Before(renewalTime(s.active.cert, cfg.CALifetime)) {
		return step{}, false
	}
	if s.next.canSign(now) || usable && len(s.previous) > 0 {
		return step{}, false // one change at a time, unless the CA in force is useless
	}
	why := authorityFault(now, s)
	if !usable && s.nothingTrusted(now) {
		return step{action: bootstrap, why: why}, true
	}
	return step{action: introduce, why: why}, true
}

func authorityFault(now time.Time, s state) string {
	switch {
	case !s.exists:
		return "there was no Secret"
	case s.active == nil:
		return "there was no CA certificate"
	case s.active.key == nil:
		return "the CA's key was lost"
	case expired(s.active.cert, now):
		return "the CA has expired"
	case now.Before(s.active.cert.NotBefore):
		return "the CA is not valid yet"
	}
	return "the CA was due for renewal"
}

// planCleaning removes what no other step overwrites, so that it is reported once.
func planCleaning(now time.Time, s state, _ Config) (step, bool) {
	if s.next != nil && !s.next.canSign(now) {
		return step{action: clean, why: "the next CA could not be used"}, true
	}
	return step{action: clean}, len(s.flaws) > 0
}

// planBundles makes every caBundle hold exactly the CAs that are to be trusted.
func planBundles(now time.Time, s state, cfg Config) (step, bool) {
	if len(s.strangers(now)) > 0 {
		return step{action: adopt, why: "a caBundle held CAs that are not in the Secret"}, true
	}
	want := s.trusted(now, cfg)
	differs := func(store trustStore) bool { return !store.isExactly(want) }
	return step{action: publish, bundle: want}, slices.ContainsFunc(s.stores, differs)
}

// planTakeOver lets the next CA sign once every API server trusts it.
func planTakeOver(now time.Time, s state, cfg Config) (step, bool) {
	if s.next == nil {
		return step{}, false
	}
	if s.nothingTrusted(now) {
		return step{action: takeOver}, true // no call succeeds anyway: do not wait
	}
	return step{action: takeOver}, !s.settled.IsZero() && !now.Before(s.settled.Add(cfg.Settle))
}

// planRetirement forgets former CAs; planBundles took them out of the bundles before.
func planRetirement(now time.Time, s state, cfg Config) (step, bool) {
	if s.next != nil || len(s.previous) == 0 {
		return step{}, false
	}
	if !stamped(s.switchedAt, now) {
		return step{action: startOverlap}, true
	}
	return step{action: retire}, s.overlapOver(now, cfg)
}

// stamped says whether a noted time can be relied on. One from the future was noted by a clock that
// has been set back since; waiting for it could take years.
func stamped(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// overlapOver says whether the former CAs are no longer to be trusted.
func (s *state) overlapOver(now time.Time, cfg Config) bool {
	return s.next == nil && stamped(s.switchedAt, now) && !now.Before(s.switchedAt.Add(cfg.Overlap))
}

// trusted are the CAs that belong into every caBundle now.
func (s *state) trusted(now time.Time, cfg Config) []*x509.Certificate {
	if !s.overlapOver(now, cfg) {
		return s.known()
	}
	current := contents{active: s.active}
	return current.known()
}

// settling remembers since when the webhook configurations hold the next CA. It lives in memory, on
// purpose: a new leader waits the whole Settle again, by its own clock, instead of trusting a time
// that another one noted, and the monotonic reading in it makes it immune to a clock that is set.
type settling struct {
	ca    *x509.Certificate
	since time.Time
}

// observe returns since when the stores of s hold the next CA, zero if they do not.
func (m *settling) observe(now time.Time, s state) time.Time {
	if s.next == nil || slices.ContainsFunc(s.stores, func(t trustStore) bool { return !t.holds(s.next.cert) }) {
		*m = settling{}
		return time.Time{}
	}
	if m.ca == nil || !m.ca.Equal(s.next.cert) {
		*m = settling{ca: s.next.cert, since: now}
	}
	return m.since
}

// nothingTrusted says whether no certificate that a replica may be serving is trusted, so that
// nothing is lost by replacing it at once: no bundle holds a CA but the next that is not expired.
func (s *state) nothingTrusted(now time.Time) bool {
	for _, store := range s.stores {
		for _, crt := range store.all() {
			if !expired(crt, now) && (s.next == nil || !s.next.cert.Equal(crt)) {
				return false
			}
		}
	}
	return true
}

// strangers are CAs that are published but not in the Secret, and that replicas' certificates may be
// signed by: when the Secret was deleted or damaged, or when somebody else was in charge of the
// bundle before. In a bundle that holds a CA of ours, others are mere additions.
func (s *state) strangers(now time.Time) []*x509.Certificate {
	known := s.known()
	lost := s.active == nil || len(s.flaws) > 0
	var found []*x509.Certificate
	for _, store := range s.stores {
		if !lost && slices.ContainsFunc(known, store.holdsAny) {
			continue
		}
		for _, crt := range store.all() {
			if !expired(crt, now) && !contains(known, crt) && !contains(found, crt) {
				found = append(found, crt)
			}
		}
	}
	if len(found) > maxAdopted {
		return nil
	}
	return found
}

// idle is the time until something falls due.
func (s *state) idle(now time.Time, cfg Config) time.Duration {
	var due []time.Time
	if s.active != nil {
		due = append(due, renewalTime(s.active.cert, cfg.CALifetime), s.active.cert.NotAfter)
	}
	if s.leaf != nil {
		due = append(due, renewalTime(s.leaf.cert, cfg.LeafLifetime))
	}
	due = append(due, s.settled.Add(cfg.Settle), s.switchedAt.Add(cfg.Overlap))
	wait := maxIdle
	for _, t := range due {
		if t.After(now) {
			wait = min(wait, t.Sub(now))
		}
	}
	return wait
}

// maxIdle bounds how long a decision is relied on, as the clock may be set meanwhile.
const maxIdle = 10 * time.Minute
