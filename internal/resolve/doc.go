// Package resolve finds the class and the plan that an instance asks for, among
// those it is given: by external name, external id or Kubernetes name, in one
// scope, with the only plan of a class as default.
//
// It is pure: it sees no client, context, clock or logger. It refuses to guess:
// where two classes or no single plan fit, the answer is an Error with a reason
// and a sentence for the user.
//
// Start reading at Resolve.
package resolve
