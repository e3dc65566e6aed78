// Package rotation decides when a binding's credentials are to be renewed and when
// old ones may be revoked. It is pure: it sees no clock, no client and no cluster,
// and carries nothing out; internal/lifecycle has the operations for that.
//
// It refuses to revoke what is within its overlap, or is still used by a container
// that got it by its environment, unless it is dead anyway or the policy's
// maxOverlap is over.
//
// Start reading at Next and Revoke.
package rotation
