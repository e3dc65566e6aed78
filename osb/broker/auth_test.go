package broker_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/svc-cat/catalog/osb/broker"
)

func TestAuthenticators(t *testing.T) {
	t.Parallel()
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	users := broker.BasicAuth(map[string]string{"a": "one", "b": "two:2"})
	tokens := broker.BearerAuth("t-1", "t-2", "")
	for name, tc := range map[string]struct {
		auth   broker.Authenticator
		header string
		want   bool
	}{
		"one user":                         {users, basic("a", "one"), true},
		"another, with a colon":            {users, basic("b", "two:2"), true},
		"the password of the other":        {users, basic("a", "two:2"), false},
		"an empty password":                {users, basic("a", ""), false},
		"nobody":                           {users, "", false},
		"a bearer token for basic":         {users, "Bearer one", false},
		"one token":                        {tokens, "Bearer t-1", true},
		"another, scheme in any case":      {tokens, "bearer t-2", true},
		"a wrong token":                    {tokens, "Bearer t-3", false},
		"an empty token":                   {tokens, "Bearer ", false},
		"a token under another scheme":     {tokens, "Basic t-1", false},
		"no users at all":                  {broker.BasicAuth(nil), basic("", ""), false},
		"any of two, by the first":         {broker.AnyOf(users, tokens), basic("a", "one"), true},
		"any of two, by the second":        {broker.AnyOf(users, tokens), "Bearer t-1", true},
		"any of two, by none":              {broker.AnyOf(users, tokens), "Bearer one", false},
		"any of none":                      {broker.AnyOf(), "Bearer one", false},
		"no authentication":                {broker.NoAuth(), "", true},
		"forgotten in the options: nobody": {nil, basic("a", "one"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := send(broker.NewHandler(&scripted{}, broker.Options{Auth: tc.auth}), request{"GET", "/v2/catalog", "", map[string]string{"Authorization": tc.header}})
			assert.Equal(t, tc.want, w.Code == 200, w.Code)
		})
	}
}
