package v1beta1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func TestEnvName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"a plain key is raised":                          {"username", "USERNAME"},
		"a dash becomes an underscore":                   {"orders-db", "ORDERS_DB"},
		"a run of others becomes one underscore":         {"a.-/b", "A_B"},
		"camel case is split":                            {"accessKeyId", "ACCESS_KEY_ID"},
		"a run of capitals stays together":               {"jdbcURL", "JDBC_URL"},
		"capitals after a digit begin a word":            {"s3Bucket", "S3_BUCKET"},
		"a leading digit gets an underscore":             {"2fa", "_2FA"},
		"others at the ends are dropped":                 {"-x-", "X"},
		"a leading digit after others gets one too":      {"-2", "_2"},
		"text without letter or digit has no name":       {"-.-", ""},
		"no text has no name":                            {"", ""},
		"letters beyond ASCII count as others":           {"größe", "GR_E"},
		"a name that is fit already stays as it is":      {"DATABASE_URL", "DATABASE_URL"},
		"underscores are folded, so that names can meet": {"a__b", "A_B"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, v1beta1.EnvName(tc.in))
		})
	}
}

func TestSecretNames(t *testing.T) {
	t.Parallel()
	b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Name: "orders-db"}}
	assert.Equal(t, "orders-db", b.EffectiveSecretName(), "the binding's own name by default")
	b.Spec.SecretName = "creds"
	assert.Equal(t, "creds", b.EffectiveSecretName())
	assert.Equal(t, "creds-env", v1beta1.EnvSecretName("creds"))

	long := strings.Repeat("a", 252)
	assert.Len(t, v1beta1.EnvSecretName(long), 253)
	assert.NotEqual(t, v1beta1.EnvSecretName(long), v1beta1.EnvSecretName(long+"a"), "long names do not meet")
	dots := strings.Repeat("a.", 126)
	assert.NotContains(t, v1beta1.EnvSecretName(dots), ".-", "a label must not begin with a dash")
	assert.Equal(t, strings.Repeat("b", 249)+"-env", v1beta1.EnvSecretName(strings.Repeat("b", 249)))
}

func TestVolumeNameIsShortAndStable(t *testing.T) {
	t.Parallel()
	assert.Regexp(t, `^binding-[0-9a-f]{12}$`, v1beta1.VolumeName("orders-db"))
	assert.NotEqual(t, v1beta1.VolumeName("a"), v1beta1.VolumeName("b"))
}
