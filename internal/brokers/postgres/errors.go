package postgres

import (
	"errors"
	"net/http"

	"github.com/svc-cat/catalog/osb/broker"
)

// Reasons for which the broker does not start. They name no part of the DSN.
var (
	errBadDSN = errors.New("the DSN of PostgreSQL cannot be read; give a URI such as postgres://broker:password@db.example:5432/broker?sslmode=verify-full")

	errTooFewRights = errors.New("the role of the DSN may not create roles and databases; make it a superuser, or ALTER ROLE it with CREATEROLE CREATEDB")

	errNoPublicHost = errors.New("the DSN reaches PostgreSQL by a Unix socket, which clients elsewhere cannot; say with --public-host where they find it")
)

// IsPermanent says whether an error of New needs another configuration, so that
// trying again with the same one is of no use.
func IsPermanent(err error) bool {
	return errors.Is(err, errBadDSN) || errors.Is(err, errNoPublicHost)
}

// Refusals. Each is a 4xx: nothing was changed, or the next attempt goes on
// where this one stopped.
var (
	errLocked    = broker.ErrConcurrency.Describe("another request for this instance is at work; send this one again when it is done")
	errNotReady  = broker.ErrConcurrency.Describe("the instance is not ready: its provision was cut short; repeat the provision request, or deprovision")
	errDeleting  = broker.ErrConcurrency.Describe("the instance is being deleted; repeat the deprovision request until it answers 200 or 410")
	errUnbinding = broker.ErrConcurrency.Describe("the binding is being deleted; repeat the unbind request until it answers 200 or 410")

	errSessionsStay = broker.ErrConcurrency.Describe("sessions of the binding do not end; send the request again")

	errOtherInstance = broker.ErrConflict.Describe("an instance of this id exists with another plan, other parameters or for another organization or space; choose a new instance id")
	errOtherBinding  = broker.ErrConflict.Describe("a binding of this id exists for another instance; choose a new binding id")
	errNoInstance    = broker.ErrNotFound.Describe("there is no such instance; provision it first")
	errNoBinding     = broker.ErrNotFound.Describe("there is no such binding of this instance; bind first")

	errBusy = broker.ErrConcurrency.Describe("PostgreSQL is busy: somebody's open transaction or session stands in the way, or it has no free connection; send the request again")

	errTooLong = &broker.Error{
		Status:      http.StatusServiceUnavailable,
		Word:        "Timeout",
		Description: "PostgreSQL took too long and the work was stopped half way; send the request again, or the delete that undoes it",
	}
	errUnreachable = &broker.Error{
		Status:      http.StatusServiceUnavailable,
		Word:        "PostgreSQLUnreachable",
		Description: "the broker cannot reach its PostgreSQL server; whoever runs the broker should look at the server and at the broker's log",
	}
)

// nameTaken refuses to touch a database or role that the broker has no record of.
func nameTaken(kind, name string) error {
	return &broker.Error{
		Status:      http.StatusUnprocessableEntity,
		Word:        "NameTaken",
		Description: "the server has a " + kind + " " + name + " that this broker did not make and will not touch; choose a new id, or have the server's administrator rename it",
	}
}
