// Package broker is a kit to write service brokers with: implement Broker, get an
// http.Handler that speaks the Open Service Broker API 2.17.
//
//	handler := broker.NewHandler(mine, broker.Options{Auth: broker.BasicAuth(users)})
//	err := broker.Serve(ctx, handler, broker.ServerConfig{Addr: ":8080"})
//
// The example is a whole broker in forty lines. Updater, Poller, InstanceGetter and
// BindingGetter are optional: a broker that has the methods gets the calls, any other
// gets the answer that the spec gives in their place. Options has hooks for schema
// checks, metrics and a log without secrets; OriginatingIdentity tells who asks.
//
// The kit checks authentication, version, JSON, required fields, and that service
// and plan belong together, in this order, before the broker is asked, and holds its
// answer against the spec before the platform sees it. It refuses to keep state, to
// decide whether two requests are identical, and to check parameters by itself: that
// is what Options.Validate is for, so that the kit stays on the standard library.
package broker
