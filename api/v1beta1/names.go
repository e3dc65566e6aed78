package v1beta1

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxSecretName is how long the name of a Kubernetes object may be.
const maxSecretName = 253

// envSecretSuffix is what the name of the env Secret ends in.
const envSecretSuffix = "-env"

// EffectiveSecretName is the name of the Secret that holds the credentials of
// a binding: spec.secretName, or the binding's own name. It is computed where
// it is used and never stored in spec.
func (b *ServiceBinding) EffectiveSecretName() string {
	if b.Spec.SecretName != "" {
		return b.Spec.SecretName
	}
	return b.Name
}

// EnvSecretName is the name of the Secret with the same values under names fit
// for environment variables. A name that would be too long is cut and gets 8
// hex digits of the SHA-256 of the whole, so that no two can meet.
func EnvSecretName(secretName string) string {
	if len(secretName)+len(envSecretSuffix) <= maxSecretName {
		return secretName + envSecretSuffix
	}
	sum := sha256.Sum256([]byte(secretName))
	tail := "-" + hex.EncodeToString(sum[:4]) + envSecretSuffix
	head := strings.TrimRight(secretName[:maxSecretName-len(tail)], "-.")
	return head + tail
}

// EnvName turns any text into UPPER_SNAKE, a name that every shell takes:
// letters are raised, every run of other characters becomes one "_", so does
// the step from a small letter or digit to a capital ("accessKey"), and a
// leading digit gets a "_" before it. Text with neither letter nor digit has no
// such name: the result is "".
func EnvName(s string) string {
	var b strings.Builder
	gap, low := false, false // low: the last character was a small letter or digit
	for _, r := range s {
		upper := r >= 'A' && r <= 'Z'
		digit := r >= '0' && r <= '9'
		lower := r >= 'a' && r <= 'z'
		if !upper && !digit && !lower {
			gap, low = b.Len() > 0, false
			continue
		}
		if gap || upper && low || digit && b.Len() == 0 {
			b.WriteByte('_')
		}
		gap, low = false, lower || digit
		if lower {
			r -= 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// EnvPrefix is the default prefix of a binding's automatic variables: its name
// in UPPER_SNAKE and "_".
func EnvPrefix(bindingName string) string {
	return EnvName(bindingName) + "_"
}

// VolumeName is the name of the Pod volume with a binding's files: "binding-"
// and 12 hex digits of the SHA-256 of the binding's name.
func VolumeName(bindingName string) string {
	sum := sha256.Sum256([]byte(bindingName))
	return "binding-" + hex.EncodeToString(sum[:6])
}
