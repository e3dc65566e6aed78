package osb

import (
	"encoding/json"
	"fmt"
)

// PlatformKubernetes is the platform token of Kubernetes, in the originating
// identity header and in context.platform (P5).
const PlatformKubernetes = "kubernetes"

// Identity is the Kubernetes user on whose behalf a request is made (P6).
type Identity struct {
	Username string              `json:"username"`
	UID      string              `json:"uid"`
	Groups   []string            `json:"groups"`
	Extra    map[string][]string `json:"extra"`
}

// MarshalJSON writes all four keys, empty ones too, as the profile asks (P6).
func (i Identity) MarshalJSON() ([]byte, error) {
	type plain Identity
	p := plain(i)
	if p.Groups == nil {
		p.Groups = []string{}
	}
	if p.Extra == nil {
		p.Extra = map[string][]string{}
	}
	return json.Marshal(p)
}

// OriginatingIdentity is the parsed X-Broker-API-Originating-Identity header of
// any platform.
type OriginatingIdentity struct {
	Platform string
	// Value is the JSON object that follows, whose form the platform decides.
	Value RawJSON
}

// Kubernetes reads Value by the Kubernetes profile.
func (o OriginatingIdentity) Kubernetes() (Identity, error) {
	var id Identity
	if o.Platform != PlatformKubernetes {
		return id, fmt.Errorf("originating identity is of platform %q, not %q", o.Platform, PlatformKubernetes)
	}
	if err := json.Unmarshal(o.Value, &id); err != nil {
		return id, fmt.Errorf("decode originating identity: %w", err)
	}
	return id, nil
}
