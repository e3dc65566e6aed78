package controllers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// maxEnvValue bounds a value that becomes a variable: Linux takes 128 KiB for
// one string, and all of them share the process' arguments.
const maxEnvValue = 32 << 10

// secretMeta is what of ours is put beside credentials.
type secretMeta struct {
	// Type and Provider are the effective ones, the broker's own included.
	Type, Provider string
	// Amount says what of it enters the data.
	Amount v1beta1.SecretMetadata
	// Extra holds the keys of SecretMetadata Full.
	Extra map[string]string
}

// secretData is the data of the credentials Secret: v0.3's keys, strings raw
// and all else as compact JSON, and our metadata. Keys that no Secret can have
// are returned by name.
func secretData(c osb.Credentials, m secretMeta) (data map[string][]byte, leftOut []string, err error) {
	data = map[string][]byte{}
	for key, value := range c {
		if len(validation.IsConfigMapKey(key)) > 0 {
			leftOut = append(leftOut, key)
			continue
		}
		if data[key], err = text(value); err != nil {
			return nil, nil, fmt.Errorf("credential %q: %w", key, err)
		}
	}
	slices.Sort(leftOut)
	if m.Amount == v1beta1.SecretMetadataNone {
		return data, leftOut, nil
	}
	data["type"], data["provider"] = []byte(m.Type), []byte(m.Provider)
	if m.Amount == v1beta1.SecretMetadataFull {
		for k, v := range m.Extra {
			if _, given := data[k]; !given {
				data[k] = []byte(v)
			}
		}
	}
	return data, leftOut, nil
}

// envData is the data of the env Secret: the same values under names fit for a
// shell. Keys whose value or name cannot or may not be a variable are returned.
func envData(c osb.Credentials) (data map[string][]byte, leftOut []string, err error) {
	data = map[string][]byte{}
	from := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(c)) {
		name := v1beta1.EnvName(key)
		value, err := text(c[key])
		if err != nil {
			return nil, nil, fmt.Errorf("credential %q: %w", key, err)
		}
		first, taken := from[name]
		switch {
		case name == "" || reservedVariable(name) || !fitsEnv(value):
			leftOut = append(leftOut, key)
		case taken:
			// Which of the two is meant cannot be told, so neither is.
			leftOut = append(leftOut, key)
			if _, both := data[name]; both {
				leftOut = append(leftOut, first)
				delete(data, name)
			}
		default:
			from[name], data[name] = key, value
		}
	}
	slices.Sort(leftOut)
	return data, leftOut, nil
}

func fitsEnv(v []byte) bool {
	return len(v) <= maxEnvValue && utf8.Valid(v) && bytes.IndexByte(v, 0) < 0
}

// text is v0.3's serialisation of a credential.
func text(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// effective is the binding's own word, else the broker's, else the catalog's.
func effective(own string, c osb.Credentials, key, catalog string) string {
	if own != "" {
		return own
	}
	if v, ok := c[key]; ok {
		if t, err := text(v); err == nil && len(t) > 0 {
			return string(t)
		}
	}
	return catalog
}

// reservedVariable says whether a name is one that changes what a loader, a shell or a
// language runtime does. A broker must not set them through an empty prefix.
func reservedVariable(name string) bool {
	for _, prefix := range []string{"LD_", "DYLD_", "BASH_", "LC_", "KUBERNETES_", "GIT_", "MALLOC_", "GLIBC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains(strings.Fields(reservedNames), name)
}

const reservedNames = `
	PATH HOME USER LOGNAME SHELL PWD OLDPWD HOSTNAME TERM TMPDIR TMP TEMP LANG LANGUAGE TZ IFS ENV PS1 PS4 CDPATH PROMPT_COMMAND
	NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS PERL5LIB PERL5OPT PERL5DB
	RUBYLIB RUBYOPT JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS JAVA_OPTS JAVA_HOME CLASSPATH GODEBUG GOTRACEBACK GOMEMLIMIT
	DOTNET_STARTUP_HOOKS CORECLR_PROFILER CORECLR_ENABLE_PROFILING PHPRC PHP_INI_SCAN_DIR LUA_PATH LUA_CPATH
	GCONV_PATH NLSPATH LOCPATH RESOLV_HOST_CONF HOSTALIASES OPENSSL_CONF OPENSSL_MODULES SSL_CERT_FILE SSL_CERT_DIR
	HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY FTP_PROXY SERVICE_BINDING_ROOT EDITOR VISUAL PAGER BROWSER`

// leftOutMessage lists keys that are in no env Secret.
func leftOutMessage(keys []string) string {
	const most = 20
	shown, more := keys, ""
	if len(keys) > most {
		shown, more = keys[:most], fmt.Sprintf(" and %d more", len(keys)-most)
	}
	return fmt.Sprintf("Left out of the variables, because their names or values do not fit there or are reserved: %s%s. Read them from the binding's files, or name them in the env annotation.",
		strings.Join(shown, ", "), more)
}
