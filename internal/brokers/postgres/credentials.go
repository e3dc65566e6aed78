package postgres

import (
	"net"
	"net/url"
	"strconv"

	"github.com/svc-cat/catalog/osb"
)

// address is where clients find the server, and how they shall verify it.
type address struct {
	host    string
	port    uint16
	sslmode string
}

// account is one login on one database.
type account struct {
	database string
	username string
	password string
}

// bindingData is what a binding is told: the credentials, and the endpoint for
// platforms that open their network by it (P97).
func (a address) bindingData(c account) osb.BindingData {
	return osb.BindingData{
		Credentials: map[string]any{
			"uri":      a.uri(c),
			"host":     a.host,
			"port":     int(a.port),
			"database": c.database,
			"username": c.username,
			"password": c.password,
			"sslmode":  a.sslmode,
		},
		Endpoints: []osb.Endpoint{{Host: a.host, Ports: []string{a.portText()}, Protocol: "tcp"}},
	}
}

// uri is a connection URI as libpq and all drivers built like it read it. The
// scheme is the long one, the only one that every library takes.
func (a address) uri(c account) string {
	u := url.URL{
		Scheme:   "postgresql",
		User:     url.UserPassword(c.username, c.password),
		Host:     net.JoinHostPort(a.host, a.portText()),
		Path:     "/" + c.database,
		RawQuery: url.Values{"sslmode": {a.sslmode}}.Encode(),
	}
	return u.String()
}

func (a address) portText() string { return strconv.Itoa(int(a.port)) }
