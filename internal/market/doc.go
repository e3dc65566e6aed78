// Package market looks up, in a cache, the class and the plan that an instance
// asks for. Controllers and webhook share it, so that what admission says of a
// plan is what the controllers do.
//
// It refuses to decide: which of several candidates is meant is said by package
// resolve. It reads by index only; a cache has to be prepared by AddIndexes.
//
// Start reading at Find.
package market
