// Package lifecycle decides what to ask a broker about an instance or a
// binding, and what an answer means.
//
// Next turns facts into the one next action; Intent is the journal entry that is
// saved before the action is carried out; Absorb turns the broker's answer into
// the status to save after it. Together they keep the promise that nothing is
// orphaned, nothing is lost and nothing foreign is touched, wherever a process
// is killed: an intent without an outcome is sent again, and a create whose
// outcome is unsure is removed at the broker before it is tried again (OSB 2.17
// §Orphan Mitigation), but only under an id that is surely ours.
//
// The package is pure: it sees no context, client, clock or logger. It refuses
// to know how facts are gathered or how status is stored.
//
// Start reading at Facts and Next.
package lifecycle
