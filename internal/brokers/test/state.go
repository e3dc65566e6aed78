package test

import (
	"cmp"
	"slices"
	"time"

	"github.com/svc-cat/catalog/osb"
)

// Phase is how an instance or binding stands.
type Phase string

// The phases. PhaseFailed is what a failed asynchronous create leaves behind; it
// exists until it is deleted.
const (
	PhaseCreating Phase = "creating"
	PhaseReady    Phase = "ready"
	PhaseUpdating Phase = "updating"
	PhaseDeleting Phase = "deleting"
	PhaseFailed   Phase = "failed"
)

// Instance is a service instance that the broker holds something for.
type Instance struct {
	ID                 string      `json:"id"`
	ServiceID          string      `json:"serviceID"`
	PlanID             string      `json:"planID"`
	OrganizationGUID   string      `json:"organizationGUID,omitempty"`
	SpaceGUID          string      `json:"spaceGUID,omitempty"`
	Context            osb.RawJSON `json:"context,omitempty"`
	Parameters         osb.RawJSON `json:"parameters,omitempty"`
	MaintenanceVersion string      `json:"maintenanceVersion,omitempty"`
	Phase              Phase       `json:"phase"`
	// Unusable is true since a failed update or deprovision said instance_usable false.
	Unusable bool `json:"unusable,omitempty"`
	// Unrepeatable is the last update that update_repeatable false was said of.
	Unrepeatable osb.RawJSON `json:"unrepeatable,omitempty"`
	Created      time.Time   `json:"created"`
	Work         *Work       `json:"work,omitempty"`

	counted int // of its size, in held
}

// Binding is a service binding that the broker holds something for.
type Binding struct {
	ID          string      `json:"id"`
	InstanceID  string      `json:"instanceID"`
	ServiceID   string      `json:"serviceID"`
	PlanID      string      `json:"planID"`
	AppGUID     string      `json:"appGUID,omitempty"`
	Predecessor string      `json:"predecessor,omitempty"`
	Context     osb.RawJSON `json:"context,omitempty"`
	Parameters  osb.RawJSON `json:"parameters,omitempty"`
	Phase       Phase       `json:"phase"`
	Created     time.Time   `json:"created"`
	// Credentials are what was, or will be, handed out; they let nobody in anywhere.
	Credentials osb.RawJSON `json:"credentials,omitempty"`
	// Issued is true since the credentials work.
	Issued      bool       `json:"issued,omitempty"`
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
	RenewBefore *time.Time `json:"renewBefore,omitempty"`
	Work        *Work      `json:"work,omitempty"`

	counted int // of its size, in held
}

// Live says whether the credentials let in whoever has them.
func (b *Binding) Live(now time.Time) bool {
	return b.Issued && (b.ExpiresAt == nil || now.Before(*b.ExpiresAt))
}

// Work is the last operation on an instance or binding, under way or over.
type Work struct {
	Kind    osb.Operation `json:"kind"`
	ID      string        `json:"id,omitempty"`
	Started time.Time     `json:"started"`
	// Polled is how many polls there were while it was in progress.
	Polled int `json:"polled,omitempty"`
	// Asynchronous is true if it was answered with 202; Async is how it goes on then.
	Asynchronous bool  `json:"asynchronous,omitempty"`
	Async        Async `json:"async,omitzero"`
	// State is its end once it has one, else "in progress".
	State osb.State `json:"state"`
	// Request is what was asked, to know it again.
	Request osb.RawJSON `json:"request,omitempty"`
	// Before is the phase to go back to when it fails.
	Before Phase `json:"before,omitempty"`
	// Halted is the operation string of the create that a delete has stopped.
	Halted string `json:"halted,omitempty"`
	// Expiry of the credentials, counted from the end.
	ExpiresIn Duration `json:"expiresIn,omitzero"`
	RenewIn   Duration `json:"renewIn,omitzero"`
}

func (w *Work) running() bool { return w != nil && w.State == osb.StateInProgress }

// due says whether the work is over by now.
func (w *Work) due(now time.Time) bool {
	polled := w.Async.Polls == 0 || w.Polled > w.Async.Polls // the poll after them ends it
	return w.Async.Result != ResultNever && polled && !now.Before(w.Started.Add(time.Duration(w.Async.Takes)))
}

// end is the state that the work comes to.
func (w *Work) end() osb.State {
	if w.Async.Result == ResultFailed {
		return osb.StateFailed
	}
	return osb.StateSucceeded
}

// grave is what is remembered of something deleted.
type grave struct {
	ServiceID string `json:"serviceID"`
	PlanID    string `json:"planID"`
	Work      *Work  `json:"work,omitempty"`
}

// key names an instance, or a binding of one.
type key struct{ instance, binding string }

// Limits of what is kept.
const (
	maxGraves = 10_000
	// DefaultStateBytes is how much the instances and bindings that exist may take.
	DefaultStateBytes = 256 << 20
	// maxID is the longest id that is taken. The API knows no limit, and nobody
	// comes near this one.
	maxID = 1024
)

// state is what exists. The broker's lock guards it.
type state struct {
	instances map[string]*Instance
	bindings  map[key]*Binding
	graves    map[key]*grave
	buried    []key // oldest first
	held      int   // bytes of what exists
	issued    int   // credentials ever made
	revoked   int   // of these, deleted
	works     int   // operation strings made up so far
}

func newState() *state {
	return &state{instances: map[string]*Instance{}, bindings: map[key]*Binding{}, graves: map[key]*grave{}}
}

// State is what exists at the broker at one moment.
type State struct {
	Instances []Instance `json:"instances"`
	Bindings  []Binding  `json:"bindings"`
	// LiveCredentials are the bindings, as instance/binding, whose credentials
	// would let somebody in.
	LiveCredentials []string `json:"liveCredentials"`
	// Issued and Revoked count the credentials that were ever made and deleted.
	Issued  int `json:"issued"`
	Revoked int `json:"revoked"`
	// Waiting is how many requests wait: held, hung, or slow.
	Waiting int `json:"waiting"`
	// JournalError is why the last change is not in the ledger's file, if it is not.
	JournalError string `json:"journalError,omitempty"`
}

// State is what exists now; work that is over by now has had its effect.
func (b *Broker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.opts.Clock.Now()
	b.engine.settleAll()
	s := b.engine.state
	out := State{
		Instances: []Instance{}, Bindings: []Binding{}, LiveCredentials: []string{},
		Issued: s.issued, Revoked: s.revoked, Waiting: b.waiting,
	}
	if err := b.journal.failed; err != nil {
		out.JournalError = err.Error()
	}
	for _, i := range s.instances {
		out.Instances = append(out.Instances, i.clone())
	}
	for _, bind := range s.bindings {
		out.Bindings = append(out.Bindings, bind.clone())
		if bind.Live(now) {
			out.LiveCredentials = append(out.LiveCredentials, bind.InstanceID+"/"+bind.ID)
		}
	}
	slices.SortFunc(out.Instances, func(x, y Instance) int { return cmp.Compare(x.ID, y.ID) })
	slices.SortFunc(out.Bindings, func(x, y Binding) int {
		return cmp.Or(cmp.Compare(x.InstanceID, y.InstanceID), cmp.Compare(x.ID, y.ID))
	})
	slices.Sort(out.LiveCredentials)
	return out
}

// Instance is the instance of that id, if the broker holds something for it.
func (b *Broker) Instance(id string) (Instance, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.engine.instance(id)
	if i == nil {
		return Instance{}, false
	}
	return i.clone(), true
}

// Binding is the binding of that id, if the broker holds something for it.
func (b *Broker) Binding(instanceID, id string) (Binding, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bind := b.engine.binding(key{instanceID, id})
	if bind == nil {
		return Binding{}, false
	}
	return bind.clone(), true
}

// Forget drops an instance with its bindings, or one binding if bindingID is set,
// as if somebody had deleted it behind the platform's back. It says whether there
// was one.
func (b *Broker) Forget(instanceID, bindingID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bindingID != "" {
		bind := b.engine.binding(key{instanceID, bindingID})
		if bind != nil {
			b.engine.dropBinding(bind, nil)
		}
		return bind != nil
	}
	i := b.engine.instance(instanceID)
	if i != nil {
		b.engine.dropInstance(i, nil)
	}
	return i != nil
}

func (i *Instance) clone() Instance {
	c := *i
	c.counted = 0
	c.Work = i.Work.clone()
	return c
}

func (b *Binding) clone() Binding {
	c := *b
	c.counted = 0
	c.Work = b.Work.clone()
	return c
}

func (w *Work) clone() *Work {
	if w == nil {
		return nil
	}
	c := *w
	return &c
}

// size is about how much memory it takes.
func (i *Instance) size() int {
	return 512 + len(i.ID) + len(i.Context) + len(i.Parameters) + len(i.Unrepeatable) + i.Work.size()
}

func (b *Binding) size() int {
	return 512 + len(b.ID) + len(b.InstanceID) + len(b.Context) + len(b.Parameters) + len(b.Credentials) + b.Work.size()
}

func (w *Work) size() int {
	if w == nil {
		return 0
	}
	return 256 + len(w.Request)
}

// count brings held up to date with a size.
func (s *state) count(counted *int, size int) {
	s.held += size - *counted
	*counted = size
}

// bury remembers what was deleted, and forgets the oldest of too many.
func (s *state) bury(k key, g *grave) {
	if _, again := s.graves[k]; !again {
		s.buried = append(s.buried, k)
	}
	s.graves[k] = g
	for len(s.graves) > maxGraves {
		delete(s.graves, s.buried[0])
		s.buried = s.buried[1:]
	}
}

// unbury forgets that an id was deleted, for it is in use again.
func (s *state) unbury(k key) {
	if _, there := s.graves[k]; there {
		delete(s.graves, k)
		s.buried = slices.DeleteFunc(s.buried, func(other key) bool { return other == k })
	}
}
