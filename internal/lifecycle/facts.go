package lifecycle

import (
	"time"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Kind says what a lifecycle is of.
type Kind int

// The two kinds of things at a broker.
const (
	Instance Kind = iota
	Binding
)

// create and remove are the actions by which a kind comes and goes.
func (k Kind) create() v1beta1.Action {
	if k == Instance {
		return v1beta1.ActionProvision
	}
	return v1beta1.ActionBind
}

func (k Kind) remove() v1beta1.Action {
	if k == Instance {
		return v1beta1.ActionDeprovision
	}
	return v1beta1.ActionUnbind
}

// Request is what identifies a request to a broker.
type Request struct {
	// ExternalID is the OSB instance_id or binding_id.
	ExternalID string
	// ServiceID and PlanID are OSB ids.
	ServiceID, PlanID string
	// Checksum of the parameters; "" for none.
	Checksum string
	// Maintenance is the version of maintenance_info; "" for none.
	Maintenance string
	// Context is a digest of the context object where the broker wants to hear of
	// its changes; else "".
	Context string
	// Updates is the counter by which a user asks for an update.
	Updates int64
	// Generation of the spec that the request was made from.
	Generation int64
}

// same says whether two requests ask for the same thing.
func (r Request) same(o Request) bool {
	return r.ServiceID == o.ServiceID && r.PlanID == o.PlanID && r.Checksum == o.Checksum && r.Maintenance == o.Maintenance
}

// settledBy says whether nothing of r is left to be told once the broker has
// accepted o.
func (r Request) settledBy(o Request) bool {
	return r.same(o) && r.Context == o.Context && r.Updates == o.Updates
}

// Change says what an update states. What it does not state the broker must not
// change (OSB 2.17, P81).
type Change struct{ Plan, Parameters, Maintenance bool }

// ChangeOf says what the update of a journal states, where the broker is known to
// have accepted have before: what differs; or all, if an earlier update may have
// been carried out although no answer says so.
func ChangeOf(have Request, op *v1beta1.Operation) Change {
	want, all := requestOf(op), op.UnreadAttempts > 0
	asked := all || want.Updates != have.Updates
	return Change{
		Plan:        all || want.PlanID != have.PlanID,
		Parameters:  asked || want.Checksum != have.Checksum,
		Maintenance: want.Maintenance != "" && (asked || want.Maintenance != have.Maintenance),
	}
}

// Problem is why something cannot be done now.
type Problem struct {
	// Reason is a condition reason of package v1beta1.
	Reason string
	// Message is a sentence with the next step.
	Message string
	// Recheck is when to look again although nothing changed that is watched; 0
	// means not.
	Recheck time.Duration
	// Final: the broker refused, and a user must act.
	Final bool
	// Idle: nothing goes on by itself, because the user said so.
	Idle bool
}

// Facts is all that a decision may depend on.
type Facts struct {
	Kind Kind
	Now  time.Time
	// Deleting: the object is to go.
	Deleting bool
	// Paused: the user holds all work on the object.
	Paused bool
	// Purge: the object is to go without its broker being asked.
	Purge bool
	// Retain: what the broker has stays there when the object goes.
	Retain bool
	// Dependents are the names of bindings that still stand on an instance.
	Dependents []string

	// Exists: the broker accepted a create under ExternalID.
	Exists bool
	// MayExist: the broker may hold something under ExternalID that came from
	// this object.
	MayExist bool
	// Ours: the id was made for this object, or this object saw its creation
	// accepted. Only then what is there may be removed without being asked.
	Ours bool
	// Mitigate is the broker's switch for orphan mitigation.
	Mitigate bool
	// Unusable: the broker declared it unusable after a failed update or removal.
	Unusable bool
	// Background: answers that promise work in the background can be followed up.
	Background bool
	// PollLimit is how long such work may take.
	PollLimit time.Duration
	// NextPoll is when the broker is to be asked next how it is getting on, as far as
	// this process knows; zero if it does not.
	NextPoll time.Time

	// ExternalID is the id in force; BaseID the first one, which successors are
	// derived from.
	ExternalID, BaseID string
	// Wish is what the spec asks for now; nil while that cannot be told, or when
	// it does not matter (deletion, mitigation).
	Wish *Request
	// Blocked says why the broker cannot be asked now: of a create what its
	// request lacks, of a removal why the broker cannot be reached at all.
	Blocked *Problem
	// Have is what the broker last accepted, or else was last sent.
	Have Request
	// Op is the journal.
	Op *v1beta1.Operation
	// Token is a digest of what a new attempt depends on; where it differs from
	// the journal's, waiting is over.
	Token string
}

// Decision is what to do next.
type Decision struct {
	// Action to carry out; empty means none.
	Action v1beta1.Action
	// Request identifies what Action sends.
	Request Request
	// Poll: do not send Action, but ask how it is getting on. That changes nothing at
	// the broker, so it needs no intent.
	Poll bool
	// Clear: the open operation is moot, nothing is owed to the broker for it.
	Clear bool
	// Wait is when to look again if there is no action; 0 means when something
	// changes.
	Wait time.Duration
	// Done: nothing is owed to the broker; the object may go.
	Done bool
	// Retained: Done, and something was left at the broker as asked. Purged: so
	// something may have been.
	Retained, Purged bool
	// Problem is what stands in the way, to be shown; nil leaves conditions
	// as they are.
	Problem *Problem
}
