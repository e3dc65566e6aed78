// Package inject turns the annotations of a Pod into the JSON patch that gives
// it the credentials of its bindings.
//
// It is pure: the raw bytes of a Pod and facts about bindings go in, patch
// operations, warnings or a refusal come out. The Pod is read once as a stream
// of JSON tokens and never decoded into a typed Pod, so that fields newer than
// this program survive and a Pod with a thousand variables costs little more
// than one with ten.
//
// It refuses to guess: an annotation of ours that it does not know, a path that
// is taken or a value that cannot be meant is a Refusal with the way out, never
// ignored. It refuses to rewrite a list or to touch an element that it would
// not have added itself, and it never sees a value of a Secret.
//
// Start reading at Scan, then Pod.Request (what the annotations say), then
// Pod.Plan (what follows from it). Injected and its Outlook are what the
// controllers use to let waiting Pods go.
package inject
