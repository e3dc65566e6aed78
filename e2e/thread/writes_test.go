package thread

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/e2e/stage"
)

// event is what of an audit event tells a write.
type event struct {
	Verb           string
	ObjectRef      struct{ Resource, Subresource, Namespace, Name string }
	User           struct{ Username string }
	RequestURI     string
	ResponseStatus struct{ Code int }
}

// checkWrites counts what the controllers wrote until instance and binding were
// Ready, events and leases left out. The numbers are the design's: for each
// object its id and finalizer, the intent and the outcome; and two Secrets.
func (s *scene) checkWrites(t *testing.T) {
	writes := map[string]int{}
	conflicts := 0
	for _, e := range s.audit(t) {
		write := e.Verb == "create" || e.Verb == "update" || e.Verb == "patch" || e.Verb == "delete"
		if !write || e.User.Username != "system:serviceaccount:"+stage.CatalogNamespace+":catalog-controllers" || e.ObjectRef.Namespace != stage.AppNamespace {
			continue
		}
		switch e.ObjectRef.Resource {
		case "serviceinstances", "servicebindings", "secrets":
		default:
			continue
		}
		if e.ResponseStatus.Code == 409 {
			conflicts++
			continue
		}
		writes[e.ObjectRef.Resource]++
	}
	t.Logf("writes of the controllers until Ready: %v, and %d that lost against a newer version", writes, conflicts)
	assert.LessOrEqual(t, writes["serviceinstances"], 4, "id and finalizer, what it waited for, intent, outcome")
	assert.LessOrEqual(t, writes["servicebindings"], 4)
	assert.Equal(t, 2, writes["secrets"])
}

func (s *scene) audit(t *testing.T) []event {
	t.Helper()
	f, err := os.Open(s.cluster.AuditLog())
	require.NoError(t, err)
	defer f.Close()
	var out []event
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
		out = append(out, e)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, out)
	return out
}
