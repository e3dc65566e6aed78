package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/resolve"
)

// filling is what is put into an object beside what the user wrote.
type filling struct {
	// user is who asks.
	user v1beta1.UserInfo
	// id is for an object that comes without one, and origin says how it was made.
	id     string
	origin v1beta1.ExternalIDOrigin
	// plan is the only one of the class; empty where none is to be filled in.
	plan string
}

// fillBroker sets what users leave to us. What an update leaves out stays as it
// was, so that replacing an object by its manifest changes nothing.
func fillBroker(s, old *v1beta1.CommonServiceBrokerSpec) {
	if s.RelistBehavior == "" {
		s.RelistBehavior = v1beta1.RelistBehaviorDuration
		if old != nil && old.RelistBehavior != "" {
			s.RelistBehavior = old.RelistBehavior
		}
	}
	if old != nil && s.RelistRequests == 0 {
		s.RelistRequests = old.RelistRequests
	}
}

// fillInstance is fillBroker for an instance; old is nil if it is created.
func fillInstance(s, old *v1beta1.ServiceInstanceSpec, f filling) {
	given := record{&s.ExternalID, &s.ExternalIDOrigin, &s.UserInfo}
	if plan := resolve.PlanField(&s.PlanReference); plan != nil && *plan == "" {
		*plan = f.plan
		if before := resolve.PlanField(oldReference(old)); before != nil && *before != "" {
			*plan = *before
		}
	}
	if old == nil {
		given.create(f)
		return
	}
	if s.UpdateRequests == 0 {
		s.UpdateRequests = old.UpdateRequests
	}
	given.update(record{&old.ExternalID, &old.ExternalIDOrigin, &old.UserInfo}, f, func() bool {
		return changedInstance(*s, *old)
	})
}

func oldReference(old *v1beta1.ServiceInstanceSpec) *v1beta1.PlanReference {
	if old == nil {
		return &v1beta1.PlanReference{}
	}
	return &old.PlanReference
}

// changedInstance says whether a user changed what is asked for, apart from what
// is recorded beside it.
func changedInstance(a, b v1beta1.ServiceInstanceSpec) bool {
	a.UserInfo, a.ExternalIDOrigin, b.UserInfo, b.ExternalIDOrigin = nil, "", nil, ""
	return !equality.Semantic.DeepEqual(a, b)
}

// fillBinding is fillInstance for a binding.
func fillBinding(s, old *v1beta1.ServiceBindingSpec, f filling) {
	given := record{&s.ExternalID, &s.ExternalIDOrigin, &s.UserInfo}
	if old == nil {
		given.create(f)
		return
	}
	given.update(record{&old.ExternalID, &old.ExternalIDOrigin, &old.UserInfo}, f, func() bool {
		a, b := *s, *old
		a.UserInfo, a.ExternalIDOrigin, b.UserInfo, b.ExternalIDOrigin = nil, "", nil, ""
		return !equality.Semantic.DeepEqual(a, b)
	})
}

// record is what admission keeps in the spec of an instance or a binding.
type record struct {
	id     *string
	origin *v1beta1.ExternalIDOrigin
	user   **v1beta1.UserInfo
}

// create overwrites what was sent of origin and user: an origin that says we
// made an id has it removed at the broker on a guess, and the user is told to
// brokers.
func (r record) create(f filling) {
	*r.origin, *r.user = v1beta1.ExternalIDGiven, &f.user
	if *r.id == "" {
		*r.id, *r.origin = f.id, f.origin
	}
}

// update keeps what was; the user becomes the one who asks only if what is asked
// for is another thing now.
func (r record) update(old record, f filling, changed func() bool) {
	if *r.id == "" {
		*r.id = *old.id
	}
	*r.origin = *old.origin
	if *old.id == "" && *r.id != "" {
		*r.origin = v1beta1.ExternalIDGiven
	}
	*r.user = *old.user
	if changed() {
		*r.user = &f.user
	}
}

// shell is the part of an object that a patch has to know.
type shell struct {
	Metadata struct {
		Finalizers        []string     `json:"finalizers"`
		DeletionTimestamp *metav1.Time `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec map[string]json.RawMessage `json:"spec"`
}

// patch says how to get from the object that was sent, whose spec has the fields
// was, to one with our finalizer and the fields is. It touches nothing else:
// fields that this version does not know stay, and so do finalizers of others.
func patch(raw []byte, was, is map[string]json.RawMessage) ([]jsonpatch.Operation, error) {
	var sent shell
	if err := json.Unmarshal(raw, &sent); err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	ops := finalize(sent)
	if sent.Spec == nil {
		ops = append(ops, jsonpatch.NewOperation("add", "/spec", map[string]any{}))
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if string(was[name]) != string(is[name]) {
			ops = append(ops, jsonpatch.NewOperation("add", "/spec/"+name, is[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, kept := is[name]; !kept {
			ops = append(ops, jsonpatch.NewOperation("remove", "/spec/"+name, nil))
		}
	}
	return ops, nil
}

// finalize adds our finalizer to an object that is to live.
func finalize(sent shell) []jsonpatch.Operation {
	have := sent.Metadata.Finalizers
	switch {
	case sent.Metadata.DeletionTimestamp != nil, slices.Contains(have, v1beta1.Finalizer):
		return nil
	case len(have) == 0:
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/finalizers", []string{v1beta1.Finalizer})}
	}
	return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/finalizers/-", v1beta1.Finalizer)}
}

func fields(spec any) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	return out, nil
}
