package osb

import "net"

// WithResolver is c with a resolver of a test's own.
func (c Config) WithResolver(r *net.Resolver) Config {
	c.resolver = r
	return c
}
