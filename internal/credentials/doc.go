// Package credentials makes the data of a binding's two Secrets from what a broker
// gave, what the binding asks for, and what other Secrets hold. It is pure: no client,
// no clock, no context, and the same input always gives the same bytes.
//
// It refuses what a Secret cannot hold, by name and before a broker is asked where that
// can be told (Check), and it bounds what users write: templates and JSONPath
// expressions run with a budget of steps and bytes. No error of this package tells a
// value, for all of them end in conditions.
//
// Start reading at Render; Transform has the semantics of v0.3's secretTransforms.
package credentials
