package house

import "slices"

// Module is the import path of the root module, which all rooms lie in.
const Module = "github.com/svc-cat/catalog"

// Std in a room's list of imports stands for the standard library.
const Std = "std"

// Room is a folder of packages with rules on what they import. A package belongs
// to the room with the longest path that is the package's own or lies above it.
type Room struct {
	// Path is the folder below the module's root.
	Path string
	// Rooms are the other rooms it may import, by path. Its own packages always may.
	Rooms []string
	// Packages are the import path prefixes it may use from outside the module.
	Packages []string
	// Pure means: same input, same output. No package of impurePackages and no
	// call of impureCalls, although Packages may cover them.
	Pure bool
	// Any lifts the rules on imports. Such rooms hold wiring, and nobody may
	// import them.
	Any bool
}

// apiTypes is what whoever handles our kinds cannot but import with them.
var apiTypes = []string{
	"k8s.io/api/core/v1",
	"k8s.io/apimachinery/pkg/api/meta",
	"k8s.io/apimachinery/pkg/api/resource",
	"k8s.io/apimachinery/pkg/apis/meta/v1",
	"k8s.io/apimachinery/pkg/runtime",
	"k8s.io/apimachinery/pkg/types",
	"k8s.io/apimachinery/pkg/util/sets",
	"k8s.io/apimachinery/pkg/util/validation",
}

// jsonSchema checks parameters; its messages want a language.
var jsonSchema = []string{
	"github.com/santhosh-tekuri/jsonschema/v6", "golang.org/x/text/language", "golang.org/x/text/message",
}

// kubernetes is what a process that talks to the API server is built from.
var kubernetes = []string{
	"github.com/go-logr/logr",
	"github.com/prometheus/client_golang/prometheus",
	"k8s.io/api",
	"k8s.io/apimachinery",
	"k8s.io/client-go",
	"k8s.io/klog/v2",
	"k8s.io/utils",
	"sigs.k8s.io/controller-runtime",
}

// rooms is the house. Arrows point down only: the siblings controllers, webhook
// and certs never import one another, the pure rooms reach nothing that could act.
var rooms = []Room{
	{Path: "api", Packages: []string{Std}}, // the corpus: tests and a doc.go
	{Path: "api/v1beta1", Packages: []string{Std, "k8s.io/api/core/v1", "k8s.io/apimachinery"}},
	{Path: "osb", Packages: []string{Std}},
	{Path: "osb/broker", Rooms: []string{"osb"}, Packages: []string{Std}},

	{Path: "internal/params", Rooms: []string{"api/v1beta1"},
		Packages: with(apiTypes, with(jsonSchema, Std)...)},
	{Path: "internal/resolve", Pure: true, Rooms: []string{"api/v1beta1"}, Packages: with(apiTypes, Std)},
	{Path: "internal/lifecycle", Pure: true, Rooms: []string{"api/v1beta1", "osb"},
		Packages: with(apiTypes, Std, "github.com/google/uuid")},
	{Path: "internal/rotation", Pure: true, Rooms: []string{"api/v1beta1"}, Packages: with(apiTypes, Std)},
	{Path: "internal/credentials", Pure: true, Rooms: []string{"api/v1beta1"},
		Packages: with(apiTypes, Std, "k8s.io/client-go/util/jsonpath")},
	{Path: "internal/inject", Pure: true, Rooms: []string{"api/v1beta1"},
		Packages: with(apiTypes, Std, "github.com/go-json-experiment/json/jsontext")},

	// Not pure, as it reads; shared by the siblings below.
	{Path: "internal/market", Rooms: []string{"api/v1beta1", "internal/resolve"}, Packages: with(kubernetes, Std)},

	{Path: "controllers", Packages: with(kubernetes, Std, "github.com/google/uuid", "golang.org/x/time/rate"),
		Rooms: []string{"api/v1beta1", "osb", "internal/params", "internal/credentials", "internal/resolve", "internal/lifecycle", "internal/rotation", "internal/inject", "internal/market"}},
	{Path: "webhook", Packages: with(kubernetes, Std, "github.com/google/uuid", "gomodules.xyz/jsonpatch/v2"),
		Rooms: []string{"api/v1beta1", "internal/inject", "internal/market", "internal/params", "internal/resolve"}},
	{Path: "certs", Packages: with(kubernetes, Std, "golang.org/x/time/rate")},

	{Path: "internal/brokers/postgres", Rooms: []string{"api/v1beta1", "osb", "osb/broker"},
		Packages: with(jsonSchema, Std, "github.com/jackc/pgx/v5", "github.com/prometheus/client_golang/prometheus")},
	{Path: "internal/brokers/test", Rooms: []string{"osb", "osb/broker"}, Packages: []string{Std, "k8s.io/utils/clock"}},
	{Path: "internal/brokers/ups", Rooms: []string{"api/v1beta1", "osb", "osb/broker"}, Packages: with(kubernetes, Std)},
	{Path: "internal/cli", Rooms: []string{"api/v1beta1", "osb"},
		Packages: with(kubernetes, Std, "github.com/spf13/cobra", "k8s.io/cli-runtime", "sigs.k8s.io/yaml")},
	{Path: "internal/probe", Rooms: []string{"api/v1beta1", "osb"}, Packages: with(kubernetes, Std)},
	{Path: "internal/house", Packages: []string{Std, "sigs.k8s.io/yaml"}},

	{Path: "charts", Packages: []string{Std}}, // tests and a doc.go
	{Path: "cmd", Any: true},
	{Path: "examples", Packages: []string{Std, "github.com/jackc/pgx/v5"}},
	{Path: "hack", Packages: []string{Std}},
	{Path: "hack/image", Any: true}, // a module of its own
}

// impurePackages bring the outside in: time, files, network, chance, logs, and
// the context by which one waits for them.
var impurePackages = []string{
	"context", "crypto/rand", "database/sql", "io/fs", "log", "log/slog", "math/rand", "math/rand/v2",
	"net", "net/http", "os", "os/exec", "os/signal", "runtime", "sync", "syscall", "unsafe",
}

// impureCalls are functions of packages that the pure rooms otherwise need: they
// may compare times they are given, and not ask what time it is.
var impureCalls = map[string][]string{
	"time": {"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"},
	// metav1 has a clock of its own.
	"k8s.io/apimachinery/pkg/apis/meta/v1": {"Now", "NowMicro"},
	// An id is derived from what is given, or given.
	"github.com/google/uuid": {"New", "NewString", "NewRandom", "NewUUID", "NewV6", "NewV7"},
}

// with returns the sorted list with more in it.
func with(list []string, more ...string) []string {
	all := append(slices.Clone(list), more...)
	slices.Sort(all)
	return all
}
