package test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/svc-cat/catalog/osb/broker"
)

// Options of a broker. The zero value is a broker for tests in the same process:
// it lets everybody in and keeps its ledger in memory.
type Options struct {
	// Auth decides which platforms may ask; nil lets everybody in.
	Auth broker.Authenticator
	// Catalog is what is offered at first.
	Catalog CatalogSpec
	// Rules are there from the beginning.
	Rules []Rule
	// AsyncDuration is how long asynchronous work takes that a name asks for.
	AsyncDuration time.Duration
	// LedgerEntries is how many requests the ledger keeps, DefaultLedgerEntries if 0.
	LedgerEntries int
	// LedgerBytes is about how much memory they may take, DefaultLedgerBytes if 0.
	LedgerBytes int
	// LedgerFile keeps ledger and state over restarts. Rules are not in it.
	LedgerFile string
	// StateBytes is about how much memory what exists may take, DefaultStateBytes
	// if 0; what is asked for beyond is refused.
	StateBytes int
	// MaxWaiting is how many requests may be held, hung or slow at a time, 1000 if
	// 0; one more is cut off.
	MaxWaiting int
	// Clock is asked for the time and for waiting; nil means the real one.
	Clock clock.Clock
	// Random is what passwords are drawn from; nil means crypto/rand.
	Random io.Reader
	// Chance is asked for rules with a chance, and returns a number from 0 to 1
	// without 1; nil means math/rand.
	Chance func() float64
	// Logger gets a line for each request, without bodies. Nil means no log.
	Logger *slog.Logger
}

// defaultMaxWaiting is more than any test lets wait on purpose.
const defaultMaxWaiting = 1000

func (o Options) withDefaults() Options {
	if o.Auth == nil {
		o.Auth = broker.NoAuth()
	}
	o.LedgerEntries = cmp.Or(o.LedgerEntries, DefaultLedgerEntries)
	o.LedgerBytes = cmp.Or(o.LedgerBytes, DefaultLedgerBytes)
	o.StateBytes = cmp.Or(o.StateBytes, DefaultStateBytes)
	o.MaxWaiting = cmp.Or(o.MaxWaiting, defaultMaxWaiting)
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Chance == nil {
		o.Chance = mathrand.Float64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Broker serves platforms as an http.Handler. All its methods may be called at any
// time, from anywhere.
type Broker struct {
	opts   Options
	kit    http.Handler
	done   chan struct{} // closed by Close
	closer sync.Once

	mu      sync.Mutex // guards what is below, and what hangs on it
	offer   *offer
	script  *script
	engine  *engine
	ledger  *ledger
	journal *journal
	waiting int
}

// New makes a broker. Close it, or requests that it holds stay for ever.
func New(opts Options) (*Broker, error) {
	opts = opts.withDefaults()
	b := &Broker{opts: opts, done: make(chan struct{}), script: &script{chance: opts.Chance}}
	b.ledger = &ledger{max: opts.LedgerEntries, maxBytes: opts.LedgerBytes}
	b.engine = &engine{state: newState(), b: b}
	b.kit = broker.NewHandler(b.engine, broker.Options{
		Auth: opts.Auth, Now: opts.Clock.Now, Logger: slog.New(errorsOnly{opts.Logger.Handler()}),
	})
	b.journal = &journal{}
	if err := b.SetCatalog(opts.Catalog); err != nil {
		return nil, err
	}
	if err := b.SetRules(opts.Rules...); err != nil {
		return nil, err
	}
	if err := b.openJournal(opts.LedgerFile); err != nil {
		return nil, err
	}
	return b, nil
}

// errorsOnly lets through what the kit logs of bugs. It knows requests by what the
// broker itself would answer; the lines for those are written elsewhere.
type errorsOnly struct{ slog.Handler }

// Enabled says no to everything that is not an error.
func (h errorsOnly) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && h.Handler.Enabled(ctx, level)
}

// Close ends whatever waits: requests that are held, hung or slow are cut off, and
// those that had not taken effect yet will not. The broker answers all others on.
func (b *Broker) Close() {
	b.closer.Do(func() { close(b.done) })
}

// SetCatalog changes what is offered. What exists stays.
func (b *Broker) SetCatalog(spec CatalogSpec) error {
	made, err := spec.compile(b.opts.AsyncDuration)
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	named := make([]*active, len(made.rules))
	for i, r := range made.rules {
		named[i] = activate(r)
	}
	if b.offer != nil {
		for id, name := range b.offer.names { // what is no longer offered keeps its name
			if _, again := made.names[id]; !again {
				made.names[id] = name
			}
		}
	}
	release(b.script.named)
	b.offer, b.script.named = made, named
	return nil
}

// Catalog is what SetCatalog was told last.
func (b *Broker) Catalog() CatalogSpec {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.offer.spec
}

// ClearLedger forgets all requests. Seq goes on counting.
func (b *Broker) ClearLedger() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clearLedger()
	b.journal.renew()
}

func (b *Broker) clearLedger() {
	b.ledger = &ledger{max: b.ledger.max, maxBytes: b.ledger.maxBytes, last: b.ledger.last}
}

// Reset makes the broker as it was when it was made: no rules but those of its
// Options, its first catalog, an empty ledger, and nothing exists.
func (b *Broker) Reset() error {
	if err := b.SetCatalog(b.opts.Catalog); err != nil {
		return err
	}
	if err := b.SetRules(b.opts.Rules...); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clearLedger()
	*b.engine.state = *newState()
	b.journal.renew()
	return nil
}
