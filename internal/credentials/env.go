package credentials

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// maxEnvValue bounds a value that becomes a variable: Linux takes 128 KiB for one
// string, and all of them share the process' arguments.
const maxEnvValue = 32 << 10

// envData is the data of the env Secret: the same values under names fit for a
// shell. Keys whose value or name cannot or may not be a variable are returned, and so
// are those of names that meet, unless one of them is a key that the user chose.
func envData(values map[string]any, chosen map[string]bool) (data map[string][]byte, leftOut []string, err error) {
	data = map[string][]byte{}
	claims := map[string][]string{} // by the variable: who wants to be it
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name := v1beta1.EnvName(key)
		value, err := text(values[key])
		if err != nil {
			return nil, nil, fmt.Errorf("credential %q: %w", key, err)
		}
		if name == "" || reservedVariable(name) || !fitsEnv(value) {
			leftOut = append(leftOut, key)
			continue
		}
		claims[name] = append(claims[name], key)
	}
	for name, keys := range claims {
		winner := keys[0]
		if len(keys) > 1 {
			own := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !chosen[k] })
			if len(own) != 1 {
				// Which of them is meant cannot be told, so none is.
				leftOut = append(leftOut, keys...)
				continue
			}
			winner = own[0]
			leftOut = append(leftOut, slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == winner })...)
		}
		if data[name], err = text(values[winner]); err != nil {
			return nil, nil, fmt.Errorf("credential %q: %w", winner, err)
		}
	}
	slices.Sort(leftOut)
	return data, leftOut, nil
}

func fitsEnv(v []byte) bool {
	return len(v) <= maxEnvValue && utf8.Valid(v) && bytes.IndexByte(v, 0) < 0
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
