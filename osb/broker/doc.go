// Package broker is a kit to write service brokers with: implement Broker, get
// an http.Handler that speaks the Open Service Broker API 2.17.
//
// Start at Broker and NewHandler; Serve runs the handler until its context
// ends. Updater, Poller, InstanceGetter and BindingGetter are optional: a
// broker that has the methods gets the calls, any other gets the answer that
// the spec gives in their place.
//
// The kit checks authentication, version, JSON, required fields and that
// service and plan belong together, in this order, before the broker is asked.
// It refuses to keep state, to decide whether two requests are identical, and
// to check parameters by itself: the last is what Options.Validate is for, so
// that the kit stays on the standard library.
package broker
