package params

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
)

// Defaults puts the defaults of a plan over those of its class: objects are merged
// at every depth, anything else of the plan takes the class's place. It returns
// nil if there are none.
func Defaults(class, plan []byte) ([]byte, error) {
	below, err := object(class)
	if err != nil {
		return nil, fmt.Errorf("defaultProvisionParameters of the class: %w", err)
	}
	above, err := object(plan)
	if err != nil {
		return nil, fmt.Errorf("defaultProvisionParameters of the plan: %w", err)
	}
	all := overlay(below, above)
	if len(all) == 0 {
		return nil, nil
	}
	return encode(all)
}

// Over puts what a user stated over defaults, by the rule of Defaults. A user who
// states null gets null: that is a value.
func (m Merged) Over(defaults []byte) (Merged, error) {
	below, err := object(defaults)
	if err != nil {
		return Merged{}, fmt.Errorf("default parameters: %w", err)
	}
	if len(below) == 0 {
		return m, nil
	}
	full, err := object(m.JSON)
	if err != nil {
		return Merged{}, err
	}
	shown, err := object(m.Redacted)
	if err != nil {
		return Merged{}, err
	}
	return merged(overlay(below, full), overlayShown(below, shown))
}

// overlayShown is overlay for what is shown: where a part is secret, nothing is
// shown of the whole.
func overlayShown(below, shown map[string]any) map[string]any {
	visible := maps.Clone(below)
	for k, v := range shown {
		if v == Redacted {
			delete(visible, k)
		}
	}
	return overlay(visible, shown)
}

func overlay(below, above map[string]any) map[string]any {
	out := maps.Clone(below)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range above {
		under, isObject := out[k].(map[string]any)
		over, both := v.(map[string]any)
		if isObject && both {
			v = overlay(under, over)
		}
		out[k] = v
	}
	return out
}

// merged finishes what Merge and Over put together.
func merged(full, shown map[string]any) (Merged, error) {
	if len(full) == 0 {
		return Merged{}, nil
	}
	all, err := encode(full)
	if err != nil {
		return Merged{}, err
	}
	redacted, err := encode(shown)
	if err != nil {
		return Merged{}, err
	}
	sum := sha256.Sum256(all)
	return Merged{JSON: all, Redacted: redacted, Checksum: hex.EncodeToString(sum[:])}, nil
}

// Is says whether a recorded checksum is of these parameters. It knows, beside
// Checksum's own, every form that a status may hold: an instance whose spec did
// not change must not be updated because a new version counts in another way.
// Whoever changes how Checksum is made gives the new form a prefix and leaves the
// old ones here.
func (m Merged) Is(checksum string) bool {
	return checksum == m.Checksum || checksum != "" && checksum == m.legacy()
}

// legacy is v0.3's checksum: the same hash, but of JSON whose numbers went through
// float64 and whose text was escaped for HTML.
func (m Merged) legacy() string {
	var values map[string]any
	if len(m.JSON) == 0 || json.Unmarshal(m.JSON, &values) != nil {
		return ""
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Stated is the part of m that an update sends: the top-level keys that the user
// states, and of the defaults those whose value is not the one that was sent
// before, as when a user no longer states what a default stands behind (OSB 2.17,
// P82). It is never nil, since an update that states no parameters cannot clear
// any (P81). before is what was sent, as it is shown.
func (m Merged) Stated(user Merged, before []byte) ([]byte, error) {
	all, err := object(m.JSON)
	if err != nil {
		return nil, err
	}
	own, err := object(user.JSON)
	if err != nil {
		return nil, err
	}
	sent, err := object(before)
	if err != nil {
		sent = nil // it is our own record; without it, all is sent
	}
	out := map[string]any{}
	for k, v := range all {
		_, stated := own[k]
		if stated || !sameValue(sent[k], v) {
			out[k] = v
		}
	}
	return encode(out)
}

func sameValue(a, b any) bool {
	x, errX := encode(a)
	y, errY := encode(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
