package osb

import (
	"errors"
	"time"
)

// BindingMetadata tells how long a binding lives (P95).
type BindingMetadata struct {
	// ExpiresAt is when the credentials stop working, nil for never.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// RenewBefore is when a successor should be there; not after ExpiresAt.
	RenewBefore *time.Time `json:"renew_before,omitempty"`
}

// timeLayouts are the spec's form and two that brokers send in its place. A
// time without zone is UTC.
var timeLayouts = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"}

// UnmarshalJSON reads the times leniently: null and "" are absent. Credentials
// that work should not be lost over the spelling of a date.
func (m *BindingMetadata) UnmarshalJSON(data []byte) error {
	var raw struct {
		ExpiresAt   string `json:"expires_at"`
		RenewBefore string `json:"renew_before"`
	}
	if err := Unmarshal(data, &raw); err != nil {
		return err
	}
	expires, err := parseTime(raw.ExpiresAt)
	if err != nil {
		return errors.New("expires_at is no ISO 8601 time")
	}
	renew, err := parseTime(raw.RenewBefore)
	if err != nil {
		return errors.New("renew_before is no ISO 8601 time")
	}
	if expires != nil && renew != nil && renew.After(*expires) {
		renew = expires // P95; nothing can be renewed after its end
	}
	m.ExpiresAt, m.RenewBefore = expires, renew
	return nil
}

func parseTime(s string) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	var firstErr error
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, s)
		if err == nil {
			t = t.UTC()
			return &t, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return nil, firstErr
}
