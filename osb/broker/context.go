package broker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/svc-cat/catalog/osb"
)

type contextKey struct{}

// requestInfo is what the headers say of a request.
type requestInfo struct {
	identity   *osb.OriginatingIdentity
	requestID  string
	apiVersion string
}

func infoFrom(ctx context.Context) requestInfo {
	info, _ := ctx.Value(contextKey{}).(requestInfo)
	return info
}

// OriginatingIdentity is the user on whose behalf the platform asks, if it
// said so (P4). It is the platform's word, as far to be trusted as the platform.
func OriginatingIdentity(ctx context.Context) (osb.OriginatingIdentity, bool) {
	if id := infoFrom(ctx).identity; id != nil {
		return *id, true
	}
	return osb.OriginatingIdentity{}, false
}

// RequestIdentity is the X-Broker-API-Request-Identity of the request, empty if it had none (P7).
func RequestIdentity(ctx context.Context) string { return infoFrom(ctx).requestID }

// APIVersion is the version that the platform speaks, such as "2.17".
func APIVersion(ctx context.Context) string { return infoFrom(ctx).apiVersion }

// Header names of the API.
const (
	headerVersion   = "X-Broker-API-Version"
	headerIdentity  = "X-Broker-API-Originating-Identity"
	headerRequestID = "X-Broker-API-Request-Identity"
)

// checkVersion takes any minor version of 2 (B2). A missing header is 412 like
// a wrong one: that is what platforms and checkers know.
func checkVersion(version string) error {
	minor, ok := strings.CutPrefix(version, "2.")
	if ok && minor != "" && strings.Trim(minor, "0123456789") == "" {
		return nil
	}
	if version == "" {
		return &Error{Status: http.StatusPreconditionFailed, Description: "header " + headerVersion + " is missing; this broker speaks 2.x"}
	}
	return &Error{Status: http.StatusPreconditionFailed, Description: "this API version is not supported; this broker speaks 2.x"}
}

// parseIdentity reads "<platform> <base64 of a JSON object>" (P5).
func parseIdentity(header string) (*osb.OriginatingIdentity, error) {
	if header == "" {
		return nil, nil
	}
	platform, encoded, _ := strings.Cut(header, " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || platform == "" || !isObject(raw) || !json.Valid(raw) {
		return nil, BadRequest("header %s is not a platform, a space and a base64-encoded JSON object", headerIdentity)
	}
	return &osb.OriginatingIdentity{Platform: platform, Value: raw}, nil
}
