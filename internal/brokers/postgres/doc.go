// Package postgres is a service broker that offers databases of one real
// PostgreSQL server: an instance is a database with an owner role that nobody
// logs in as, a binding is a login role that acts as the owner role.
//
// Its state is in PostgreSQL, next to what it describes. A crash at any instant
// is harmless because of the order of things: the record of an instance is
// written in the same transaction as its owner role (roles are transactional);
// CREATE DATABASE, which is not, makes the database owned by that role, which
// proves it ours; from then on each step can be repeated until it is recorded.
// Replicas keep out of each other's way by one advisory lock for each instance.
//
// It refuses to touch a database or role that it has no record of, to keep a
// password in clear, to make users owners of their database (they could lift
// its limits), and to change encoding or extensions afterwards.
//
// Start reading at Broker and New, then provision.go, bind.go, session.go.
package postgres
