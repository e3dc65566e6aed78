package certs

import "time"

// apply returns the contents after a step that writes the Secret. It makes keys, so it is not a
// function of its arguments alone, but it decides nothing.
func (c contents) apply(now time.Time, st step, cfg Config) (contents, error) {
	c.flaws = nil
	if !c.next.canSign(now) {
		c.next = nil
	}
	if len(st.adopt) > 0 {
		c.previous = append(c.previous[:len(c.previous):len(c.previous)], st.adopt...)
		c.switchedAt = time.Time{} // replicas get the whole overlap again
	}
	var err error
	switch st.action {
	case introduce:
		c.next, err = newAuthority(now, c.known(), cfg)
	case takeOver:
		err = c.takeOver(now, cfg)
	case retire:
		c.previous, c.switchedAt = nil, time.Time{}
	case bootstrap:
		err = c.bootstrap(now, cfg)
	case issueLeaf:
		c.leaf, err = newLeaf(now, c.active, cfg)
	case startOverlap:
		c.switchedAt = now
	}
	return c, err
}

// takeOver replaces serving certificate and CA in one write: tls.crt is always signed by ca.crt. The
// former CA's key is thrown away, its certificate stays for the overlap.
func (c *contents) takeOver(now time.Time, cfg Config) error {
	next, err := newLeaf(now, c.next, cfg)
	if err != nil {
		return err
	}
	if c.active != nil {
		c.previous = append(c.previous[:len(c.previous):len(c.previous)], c.active.cert)
	}
	c.active, c.next, c.leaf = c.next, nil, next
	c.switchedAt = now
	return nil
}

func (c *contents) bootstrap(now time.Time, cfg Config) error {
	ca, err := newAuthority(now, c.known(), cfg)
	if err != nil {
		return err
	}
	first, err := newLeaf(now, ca, cfg)
	if err != nil {
		return err
	}
	*c = contents{active: ca, leaf: first}
	return nil
}
