package params

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Redacted stands in status for a value that came from a Secret.
const Redacted = "<redacted>"

// Source is one JSON object with parameters.
type Source struct {
	// Name says in errors where the parameters come from.
	Name string
	// JSON is the object; empty or null means no parameters.
	JSON []byte
	// Secret says that the values must not be shown.
	Secret bool
}

// Merged is the outcome of Merge.
type Merged struct {
	// JSON is the object to send, with sorted keys; nil if there are no
	// parameters.
	JSON []byte
	// Redacted is JSON with the values from Secrets replaced; nil likewise.
	Redacted []byte
	// Checksum is the hex SHA-256 of JSON; "" if there are no parameters.
	Checksum string
}

// Merge puts the top-level keys of all sources together, as v0.3 did: a key
// that two sources state is an error, since neither could be right for sure.
// Numbers keep every digit.
func Merge(sources ...Source) (Merged, error) {
	all, shown, from := map[string]any{}, map[string]any{}, map[string]string{}
	for _, s := range sources {
		values, err := object(s.JSON)
		if err != nil {
			return Merged{}, fmt.Errorf("%s: %w", s.Name, err)
		}
		for _, k := range sortedKeys(values) {
			if first, twice := from[k]; twice {
				return Merged{}, fmt.Errorf("parameter %q is stated twice, in %s and in %s; state it once", k, first, s.Name)
			}
			all[k], shown[k], from[k] = values[k], values[k], s.Name
			if s.Secret {
				shown[k] = Redacted
			}
		}
	}
	return merged(all, shown)
}

// errNotObject names no content: it may be a Secret's.
var errNotObject = errors.New("not a JSON object")

// object decodes one JSON object. The decoder's own errors quote the input, so
// they are not passed on.
func object(raw []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil, errNotObject
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotObject
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, errNotObject
}

// encode writes compact JSON with sorted keys and without HTML escapes, so that
// equal parameters have equal bytes.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode parameters: %w", err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
