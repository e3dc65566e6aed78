package certs

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"
)

// Lifetimes and periods that a zero field of [Config] stands for.
const (
	DefaultCALifetime   = 365 * 24 * time.Hour
	DefaultLeafLifetime = 90 * 24 * time.Hour
	DefaultSettle       = time.Minute
	DefaultOverlap      = 24 * time.Hour
	DefaultClockSkew    = 24 * time.Hour
)

// renewalPart is the last part of a lifetime, as a divisor: a certificate is renewed when a third of
// its life is left.
const renewalPart = 3

// Config says which serving certificate a [Manager] keeps and for how long its parts live. The names
// are required; a zero duration stands for its default.
type Config struct {
	// Namespace holds the Secret and the Service.
	Namespace string
	// SecretName is the Secret with the certificates. It is made if it is missing.
	SecretName string
	// Service is the Service that the API server calls; its DNS names are the certificate's names.
	Service string
	// MutatingConfigurations and ValidatingConfigurations name the MutatingWebhookConfigurations and
	// ValidatingWebhookConfigurations whose caBundle is ours, in all their webhooks. One that does
	// not exist is waited for and keeps nothing else waiting.
	MutatingConfigurations, ValidatingConfigurations []string

	// CALifetime is how long a CA is valid; it is replaced after two thirds of it.
	CALifetime time.Duration
	// LeafLifetime is how long a serving certificate is valid; it is replaced after two thirds of
	// it. At most a third of CALifetime, so that no serving certificate outlives its CA.
	LeafLifetime time.Duration
	// Settle is how long a new CA stands in every caBundle before a certificate signed by it is
	// served: the time in which every API server's cache has seen the new bundle.
	Settle time.Duration
	// Overlap is how long an old CA stays trusted after its last certificate was replaced: the time
	// in which every webhook replica has loaded the new one. At most a third of LeafLifetime.
	Overlap time.Duration
	// ClockSkew is how far the clocks of the leader and the API servers may be apart. Certificates
	// are valid from this long ago.
	ClockSkew time.Duration

	// Clock tells the time; nil stands for the real one.
	Clock clock.PassiveClock
}

// withDefaults returns c with every zero duration and a nil clock replaced.
func (c Config) withDefaults() Config {
	c.CALifetime = cmp.Or(c.CALifetime, DefaultCALifetime)
	c.LeafLifetime = cmp.Or(c.LeafLifetime, DefaultLeafLifetime)
	c.Settle = cmp.Or(c.Settle, DefaultSettle)
	c.Overlap = cmp.Or(c.Overlap, DefaultOverlap)
	c.ClockSkew = cmp.Or(c.ClockSkew, DefaultClockSkew)
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	return c
}

// configurations are the webhook configurations that c names, yet to be read.
func (c Config) configurations() []configuration {
	var all []configuration
	for _, name := range c.MutatingConfigurations {
		all = append(all, newMutating(name))
	}
	for _, name := range c.ValidatingConfigurations {
		all = append(all, newValidating(name))
	}
	return all
}

// validate reports every contradiction in a configuration that has its defaults.
func (c Config) validate() error {
	var errs []error
	if c.Namespace == "" || c.SecretName == "" || c.Service == "" {
		errs = append(errs, errors.New("namespace, Secret name and Service name are required"))
	}
	if min(c.CALifetime, c.LeafLifetime, c.Settle, c.Overlap, c.ClockSkew) < 0 {
		errs = append(errs, errors.New("a lifetime or period is negative"))
	}
	if c.LeafLifetime > c.CALifetime/renewalPart {
		errs = append(errs, fmt.Errorf("serving certificates that live %s need a CA that lives three times as long, not %s",
			c.LeafLifetime, c.CALifetime))
	}
	if c.Overlap > c.LeafLifetime/renewalPart {
		errs = append(errs, fmt.Errorf("an overlap of %s is longer than a third of the serving certificate's life of %s",
			c.Overlap, c.LeafLifetime))
	}
	if c.Settle > c.CALifetime/renewalPart/2 {
		errs = append(errs, fmt.Errorf("a settle time of %s leaves no time to replace a CA that lives %s", c.Settle, c.CALifetime))
	}
	return errors.Join(errs...)
}

// dnsNames are the names under which a Service is called; API servers use the third.
func dnsNames(service, namespace string) []string {
	name := service + "." + namespace
	return []string{service, name, name + ".svc", name + ".svc.cluster.local"}
}
