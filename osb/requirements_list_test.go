package osb_test

// rule is one thing that the Open Service Broker API 2.17 asks for, or that
// brokers in the wild have taught.
type rule struct {
	number, text string
	// elsewhere says who keeps the rest of it, or all of it: the packages of this
	// table then have no part in it, and need no test.
	elsewhere string
	none      bool
}

// here is a rule that this package, or for B-numbers the kit, keeps alone.
func here(number, text string) rule { return rule{number: number, text: text} }

// shared is a rule of which a part is kept elsewhere.
func shared(number, text, elsewhere string) rule {
	return rule{number: number, text: text, elsewhere: elsewhere}
}

// others is a rule that is kept elsewhere alone.
func others(number, text, elsewhere string) rule {
	return rule{number: number, text: text, elsewhere: elsewhere, none: true}
}

// Who keeps what the client cannot: rooms, and the issues that they are built by.
const (
	catalogs  = "`controllers` (issue 5)"
	instances = "`controllers`, `internal/lifecycle` (issue 6)"
	bindings  = "`controllers`, `internal/lifecycle` (issue 7)"
	params    = "`internal/params` (issue 6)"
	authors   = "who writes the broker"
)

// platformRules are the P-numbers: what a platform has to do.
var platformRules = []rule{
	here("P1", "Each request states the API version as MAJOR.MINOR; 412 and 400 may come back"),
	here("P2", "Each request is authenticated: basic, or a bearer token by agreement; 401 means that it failed"),
	here("P3", "TLS, with a CA bundle where the broker's CA is its own"),
	shared("P4", "The user behind a request goes with it as originating identity, or not at all", instances+" choose the user"),
	here("P5", "Identity is platform token, one space, base64 of a JSON object"),
	here("P6", "A Kubernetes identity has username, uid, groups and extra, also where they are empty"),
	here("P7", "Each request has an identity of its own; that brokers echo it is not relied on"),
	here("P8", "A body is sent as application/json; what comes back is read whatever its type"),
	here("P9", "Ids in paths and queries are percent-encoded where they must be"),
	here("P10", "Unknown fields are ignored"),
	here("P11", "An error body may be absent, empty or no JSON; the status alone decides"),
	here("P12", "Four error words have a meaning, all others are text"),
	here("P13", "After a 4xx nothing has changed at the broker, after a 5xx most likely"),
	here("P14", "A request has a timeout, 60 s as a rule; 408 is an answer and no timeout"),

	here("P20", "A catalog may be empty; a service has at least one plan"),
	shared("P21", "Services and plans are who they are by id alone", catalogs+" keep the records"),
	shared("P22", "Names are compared with case and are unique in their catalog or service; ids are unique everywhere", catalogs+" across brokers"),
	others("P23", "The catalog is fetched again from time to time", catalogs),
	others("P24", "What stands on a removed plan can still be managed", catalogs+", "+instances),
	shared("P25", "A catalog is fetched again only if it changed, by ETag or date", catalogs+" keep the ETag"),
	here("P26", "Long texts are no reason to refuse a catalog"),
	shared("P27", "Names may hold any character", catalogs+" derive Kubernetes names"),
	here("P28", "Absent is not false: bindable and plan_updateable of a plan, free"),
	shared("P29", "Schemas of draft-04 and later for create, update and bind", params+" checks by them"),
	shared("P30", "An unusable schema is no schema; nothing is ever fetched for one", params+" follows no reference"),
	here("P31", "dashboard_client is not read, for it holds a secret"),
	here("P32", "Metadata is free-form and kept as it is"),
	shared("P33", "A binding may have only what the service announced in requires", bindings+" decide"),

	here("P40", "accepts_incomplete=true asks for asynchronous work; AsyncRequired wants it"),
	here("P41", "202 is polled at the instance's or the binding's last_operation"),
	here("P42", "The operation of the 202, up to 10,000 characters, goes back as it came, or not at all"),
	shared("P43", "Polls name service and plan, during a change of plan the one before", instances+" know the plan"),
	here("P44", "in progress, succeeded and failed are the states"),
	here("P45", "410 to the poll of a delete is success, to any other it is nothing"),
	shared("P46", "Whatever else comes back, polling goes on", instances+" poll"),
	here("P47", "Retry-After of a poll is seconds or a date"),
	shared("P48", "Polling ends at maximum_polling_duration or the platform's own deadline", instances+" keep the time"),
	here("P49", "After an asynchronous bind the credentials are fetched; a 202 has none"),
	here("P50", "A failed create is cleaned up after; a failed update or delete says what can still be used"),
	others("P51", "A final state is saved before anything else", instances),

	shared("P60", "An instance id is not empty, unique, and not used twice", instances+" choose the ids"),
	here("P61", "organization_guid and space_guid are sent"),
	shared("P62", "The context follows the Kubernetes profile", instances+" fill it in"),
	here("P63", "maintenance_info.version may be sent; MaintenanceInfoConflict says that it is old"),
	shared("P64", "dashboard_url and metadata come with the first answer, a 202 included", instances+" store them"),
	others("P70", "Instances are fetched only where the service says that they can be", instances),
	here("P71", "A fetch may name service and plan"),
	here("P72", "A fetched instance may withhold anything"),
	shared("P73", "No answer to a fetch is a reason to forget", instances+" never do"),

	shared("P80", "A plan is changed only if plan, else service, is plan_updateable", instances+" ask"),
	here("P81", "Absent plan_id or parameters change nothing, which {} is not"),
	others("P82", "Only what the user stated for this update is sent", instances),
	shared("P83", "The context alone is updated only if the service allows it", instances+" ask"),
	shared("P84", "A maintenance update names the version that it is to have, and the one before", instances+" offer it"),
	shared("P85", "previous_values are those of the last success", instances+" know them"),
	shared("P86", "A dashboard_url in the answer replaces the old one, absence keeps it", instances+" store it"),
	shared("P87", "Labels in the answer replace all labels", instances+" store them"),
	shared("P88", "instance_usable: false blocks new bindings; absent means usable", instances+" obey"),
	here("P89", "update_repeatable: false forbids the same update; absent allows it"),

	shared("P90", "Only what is bindable, by plan, else by service, is bound; a binding id is not empty", bindings+" ask"),
	here("P91", "app_guid is sent in both places"),
	shared("P92", "A route can be sent; drains and route services come back", bindings+" warn of what they do not support"),
	here("P93", "A binding is metadata, credentials, drain, route service, volume mounts and endpoints"),
	others("P94", "Credentials are stored before anything else", bindings),
	here("P95", "Times are ISO 8601; nothing is renewed after its end"),
	here("P96", "Volume mounts and endpoints have the form that is written"),
	others("P97", "Endpoints may open a network policy", "nobody: optional"),
	shared("P98", "Only a plan with binding_rotatable has its bindings rotated", bindings+" ask"),
	here("P99", "A rotation names its predecessor, and needs no more"),

	shared("P100", "At the polling deadline an operation has failed, and a create is cleaned up after", instances+" keep the time"),
	others("P101", "All bindings go before their instance", instances+", "+bindings),
	here("P102", "200 and 410 end a delete, 202 is polled, anything else changes nothing"),
	shared("P103", "A failed deprovision may say that the instance cannot be used", instances+" obey"),
	shared("P104", "A create under way can be deleted; the broker may ask for patience", instances+" do"),
	here("P105", "A delete names service and plan"),
	shared("P110", "ConcurrencyError is waited for and never cleaned up after", instances+" wait"),
	others("P111", "Operations of one instance are done one by one", instances),

	here("P120", "200 is success"),
	here("P121", "200 with a malformed body is failure, and nothing is cleaned up"),
	here("P122", "failed in the poll of an instance: deprovision"),
	here("P123", "failed in the poll of a binding: unbind"),
	here("P124", "201 is success"),
	here("P125", "Malformed 201 to a provision: deprovision"),
	here("P126", "Malformed 201 to a bind: unbind"),
	here("P127", "202 is success"),
	here("P128", "Malformed 202 to a provision: deprovision"),
	here("P129", "Malformed 202 to a bind: unbind"),
	here("P130", "Any other 2xx to a provision or deprovision: deprovision"),
	here("P131", "Any other 2xx to a bind or unbind: unbind"),
	here("P132", "Any other 2xx to an update: nothing"),
	here("P133", "408: nothing"),
	here("P134", "Any other 4xx: nothing"),
	here("P135", "5xx to a provision or deprovision: deprovision"),
	here("P136", "5xx to a bind or unbind: unbind"),
	here("P137", "5xx to an update: nothing"),
	here("P138", "Timeout of a provision: deprovision"),
	here("P139", "Timeout of a bind: unbind"),
	here("P140", "Timeout of anything else: nothing"),
	shared("P141", "A fault of the platform's own after a create: as after a timeout", instances+" and "+bindings+" know of it"),
	here("P142", "ConcurrencyError: never"),
}

// brokerRules are the B-numbers: what a broker has to do.
var brokerRules = []rule{
	here("B1", "401 comes before any other refusal"),
	here("B2", "A missing or unknown version is 412; any minor version of 2 is taken"),
	here("B3", "Unknown fields are ignored; malformed or missing data is 400"),
	here("B4", "All bodies are JSON and say so; the request's identity is echoed"),
	here("B5", "Errors say something, and instance_usable only where it has a meaning"),
	shared("B6", "After a 4xx nothing has changed", "`osb/broker` refuses before the broker is asked; the rest is up to "+authors),
	here("B7", "Catalog: required fields are there, names and ids unique, plans exist"),
	here("B8", "Schemas name their draft, refer to nothing outside, are at most 64 kB; versions are semver"),
	here("B9", "The catalog has an ETag"),
	others("B10", "What takes long is asynchronous", authors),
	here("B11", "AsyncRequired where accepts_incomplete is missing"),
	shared("B12", "Codes of a provision: 201, 200, 202 with the same operation, 409, 400, 422", authors+" tells new from known"),
	here("B13", "400 for ids that are missing or do not belong together"),
	here("B14", "MaintenanceInfoConflict for a version that is not the catalog's"),
	shared("B15", "dashboard_url comes with the first answer, a 202 included", authors+" gives it"),
	shared("B16", "Codes of an update; nothing changes that is not asked for", authors+" keeps what is not named"),
	shared("B17", "Codes of a bind; no credentials in a 202", authors+" tells new from known"),
	here("B18", "A rotation names its predecessor alone, and is refused where no plan rotates"),
	shared("B19", "Codes of deletes: 200, 202, 410, 400 without ids", authors+" tells what exists"),
	others("B20", "A delete during a create stops it, or is ConcurrencyError", authors),
	here("B21", "last_operation: 200 with a state, 404, 410 after a delete, Retry-After"),
	here("B22", "Fetches: 200, 404, ConcurrencyError while updating"),
	here("B23", "Drain, route service and volume mounts only if the service announces them"),
	others("B24", "Credentials are unique to their binding", authors),
	here("B25", "Busy is 422 ConcurrencyError"),
	here("B26", "A refusal of business is 4xx, not 500"),
	shared("B27", "A delete works after a create that got stuck, and again", authors+" deletes what is half made"),
}

// pitfalls are what interoperation has taught.
var pitfalls = []rule{
	shared("1", "An asynchronous delete ends with 410, with succeeded, or with 404", instances+" ask again after a 404"),
	here("2", "410 to the poll of a create taken for failure"),
	shared("3", "A poll that fails taken for the end", instances+" poll on"),
	shared("4", "An id that failed once refused for ever", instances+" take another"),
	shared("5", "Requests that fail for ever repeated for ever", instances+" rest until the spec changes"),
	shared("6", "Cleaning up what somebody else made", instances+" clean up only after themselves"),
	shared("7", "plan_updateable: false taken for no updates at all", instances+" update parameters"),
	shared("8", "A failed fetch taken for an empty catalog", catalogs+" remove nothing then"),
	shared("9", "One odd name stops the whole catalog", catalogs+" derive Kubernetes names"),
	here("10", "Operation strings with JSON, =, /, + in them"),
	here("11", "JSON served as text/html, null for objects, bodies without end"),
	shared("12", "Schemas that refer to other places", params+" follows no reference"),
	shared("13", "The same id or name twice", catalogs+" across brokers"),
	shared("14", "Parallel binds answered with ConcurrencyError", bindings+" queue"),
	shared("15", "Instances deleted before their bindings", instances+" wait for bindings"),
	shared("16", "Objects stuck in deletion although nothing was ever sent", instances+" track what was sent"),
	shared("17", "A timeout that fits no broker", instances+" have a polling deadline too"),
	shared("18", "409 to the repeat of a request whose answer was lost", instances+" look before they judge"),
	shared("19", "An asynchronous bind whose credentials cannot be fetched", bindings+" fail it clearly"),
	shared("20", "Credentials with numbers and nested objects", bindings+" map them to Secrets"),
	here("21", "Polls that want the service id"),
	here("22", "A failed update taken for an unusable instance"),
	shared("23", "A catalog that is old when MaintenanceInfoConflict comes", catalogs+" fetch it again"),
	shared("24", "A delete held back by a long provision", instances+" send it at once"),
	here("25", "An identity too large for a proxy"),
	here("26", "200 for a fresh binding, 201 for an old one"),
}
