package postgres

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes that the broker answers in a way of its own.
const (
	codeDuplicateDatabase = "42P04"
	codeDuplicateObject   = "42710"
	codeUniqueViolation   = "23505"

	codeSerialization      = "40001"
	codeDeadlock           = "40P01"
	codeTooManyConnections = "53300"
	codeObjectInUse        = "55006"
	codeLockNotAvailable   = "55P03"

	codeAdminShutdown    = "57P01"
	codeCrashShutdown    = "57P02"
	codeCannotConnectNow = "57P03"
)

// hasCode says whether PostgreSQL refused with one of the codes.
func hasCode(err error, codes ...string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains(codes, pgErr.Code)
}

// isBusy says whether PostgreSQL refused because of what others do right now.
func isBusy(err error) bool {
	return hasCode(err, codeSerialization, codeDeadlock, codeTooManyConnections, codeObjectInUse, codeLockNotAvailable)
}

// isUnreachable says whether PostgreSQL could not be asked, or went away while
// it was.
func isUnreachable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		hasCode(err, codeAdminShutdown, codeCrashShutdown, codeCannotConnectNow)
}

// quoteName makes an identifier of a name; DDL takes no parameters.
func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }

// quoteText makes a string literal that means the same whatever
// standard_conforming_strings says.
func quoteText(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
