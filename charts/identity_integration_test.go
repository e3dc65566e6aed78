package charts_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Who writes manifests in the tests below.
const (
	tenant  = "tenant"  // may not adopt
	adopter = "adopter" // may
	// namesake is called nearly like the controllers.
	namesake = controllersUser + "x"
)

// anID is one as the webhook makes it.
const anID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

// userInfo is a user as the webhook writes it into spec.
func userInfo(name string, groups ...any) map[string]any {
	if len(groups) == 0 {
		groups = []any{"system:authenticated"}
	}
	return map[string]any{"username": name, "uid": "", "groups": groups}
}

// fields is part of a spec.
func fields(pairs ...any) map[string]any {
	m := map[string]any{}
	for pair := range slices.Chunk(pairs, 2) {
		m[pair[0].(string)] = pair[1]
	}
	return m
}

// claims are what a row sends, and what comes of it.
type claims struct {
	user    string
	was     map[string]any // nil: the row creates
	is      map[string]any
	refusal string // empty: admitted
	only    string // the kind the row is about; empty: both
}

// people lets in who the rows are about.
func people(t *testing.T, c client.Client) map[string]client.Client {
	t.Helper()
	all := map[string]client.Client{controllersUser: actAs(t, controllersUser)}
	for _, name := range []string{tenant, webhookUser, namesake} {
		all[name] = userWith(t, c, name, edits())
	}
	all[adopter] = userWith(t, c, adopter, edits(), rule([]string{"adopt"}, []string{"serviceinstances", "servicebindings"}))
	return all
}

// check sends what the rows say as both kinds.
func check(t *testing.T, users map[string]client.Client, rows map[string]claims) {
	t.Helper()
	for name, tc := range rows {
		for _, kind := range []string{"ServiceInstance", "ServiceBinding"} {
			if tc.only != "" && tc.only != kind {
				continue
			}
			t.Run(name+": "+kind, func(t *testing.T) {
				obj := idHolder(kind, tc.is)
				var err error
				if tc.was == nil {
					err = users[tc.user].Create(t.Context(), obj, client.DryRunAll)
				} else {
					old := create(t, users[controllersUser], idHolder(kind, tc.was))
					obj.SetName(old.GetName())
					obj.SetResourceVersion(old.GetResourceVersion())
					err = users[tc.user].Update(t.Context(), obj, client.DryRunAll)
				}
				if tc.refusal == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, tc.refusal)
				assert.True(t, refused(err), "%v", err)
			})
		}
	}
}

const (
	forgedUser   = "spec.userInfo names somebody else than the one who sends this: leave the field out"
	forgedEditor = "spec.userInfo names somebody else than the one who changes this spec"
	forgedOrigin = "spec.externalIDOrigin is not yours to set: leave the field out"
	needsAdopt   = "needs the verb adopt on this kind: leave the field out to get an id of its own, or ask the platform team for the verb"
)

func TestUserInfoNamesWhoAsks(t *testing.T) {
	c := installPolicies(t)
	forged := userInfo("boss")
	extra := func(value string) map[string]any {
		u := userInfo(tenant)
		u["extra"] = map[string]any{"department": []any{value}}
		return u
	}
	withUID := userInfo(tenant)
	withUID["uid"] = "42"
	old := fields("userInfo", forged, "externalID", "one", "externalIDOrigin", "Given")
	and := func(more ...any) map[string]any {
		m := maps.Clone(old)
		maps.Copy(m, fields(more...))
		return m
	}
	check(t, people(t, c), map[string]claims{
		"nobody is named":                             {user: tenant, is: fields()},
		"the webhook names the user":                  {user: tenant, is: fields("userInfo", userInfo(tenant))},
		"somebody else is named":                      {user: tenant, is: fields("userInfo", forged), refusal: forgedUser},
		"the user is named with a group too many":     {user: tenant, is: fields("userInfo", userInfo(tenant, "system:authenticated", "system:masters")), refusal: forgedUser},
		"the user is named with no group":             {user: tenant, is: fields("userInfo", fields("username", tenant, "uid", "")), refusal: forgedUser},
		"the user is named with another's uid":        {user: tenant, is: fields("userInfo", withUID), refusal: forgedUser},
		"the user is named with an extra of his own":  {user: tenant, is: fields("userInfo", extra("board")), refusal: forgedUser},
		"an account like the controllers' is told on": {user: namesake, is: fields("userInfo", forged), refusal: forgedUser},
		"the webhook's account is told on":            {user: webhookUser, is: fields("userInfo", forged), refusal: forgedUser},
		"the controllers keep what a user was":        {user: controllersUser, is: fields("userInfo", forged)},

		"a manifest is sent back as it is":      {user: tenant, was: old, is: old},
		"a manifest without what was filled in": {user: tenant, was: fields("userInfo", forged), is: fields()},
		"zero values are sent for fields that are left out": {user: tenant, was: old, only: "ServiceInstance", is: and(
			"updateRequests", 0, "clusterServiceClassRef", map[string]any{"name": ""}, "parametersFrom", []any{}, "serviceClassName", "")},
		"a spec is changed under the name of who changed it last": {user: tenant, was: old, is: and("updateRequests", 1), only: "ServiceInstance", refusal: forgedEditor},
		"a field is taken out under another's name": {user: tenant, was: and("parameters", fields("size", 1)), is: old,
			only: "ServiceInstance", refusal: forgedEditor},
		"parameters change deep down under another's name": {user: tenant, was: and("parameters", fields("a", fields("b", ""))),
			is: and("parameters", fields("a", fields("b", 0))), only: "ServiceInstance", refusal: forgedEditor},
		"a spec is changed under the user's own name":     {user: tenant, was: old, is: and("updateRequests", 1, "userInfo", userInfo(tenant)), only: "ServiceInstance"},
		"a spec is changed and nobody named":              {user: tenant, was: fields("userInfo", forged), is: fields("updateRequests", 1), only: "ServiceInstance"},
		"a third one is named on change":                  {user: tenant, was: old, is: and("updateRequests", 1, "userInfo", userInfo("third")), only: "ServiceInstance", refusal: forgedUser},
		"only the name changes, to somebody else's":       {user: tenant, was: old, is: and("userInfo", userInfo("third")), refusal: forgedUser},
		"the controllers change a spec in another's name": {user: controllersUser, was: fields("userInfo", forged), is: fields("userInfo", forged, "externalID", "one")},
	})
}

func TestExternalIDOriginSaysWhoMadeTheID(t *testing.T) {
	c := installPolicies(t)
	users := people(t, c)
	made := func(more ...any) map[string]any {
		m := fields("externalID", anID, "externalIDOrigin", "Generated", "userInfo", userInfo(tenant))
		maps.Copy(m, fields(more...))
		return m
	}
	given, bare := fields("externalID", "one", "externalIDOrigin", "Given"), fields("externalID", "one")
	generated := fields("externalID", "one", "externalIDOrigin", "Generated")
	check(t, users, map[string]claims{
		"nothing is claimed":                      {user: tenant, is: fields("externalIDOrigin", "")},
		"the webhook says that it made the id":    {user: tenant, is: made()},
		"the id is not of the webhook's making":   {user: tenant, is: made("externalID", "one"), refusal: forgedOrigin},
		"there is no id":                          {user: tenant, is: made("externalID", ""), refusal: forgedOrigin},
		"somebody else's id is said to be ours":   {user: tenant, is: made("userInfo", userInfo("boss")), refusal: "spec."},
		"an id is said to be ours, for nobody":    {user: tenant, is: fields("externalID", anID, "externalIDOrigin", "Generated"), refusal: forgedOrigin},
		"an id is said to be derived":             {user: adopter, is: fields("externalID", "one", "externalIDOrigin", "Derived"), refusal: forgedOrigin},
		"an account named alike says it":          {user: namesake, is: generated, refusal: forgedOrigin},
		"the webhook's account says it":           {user: webhookUser, is: generated, refusal: forgedOrigin},
		"the controllers say it":                  {user: controllersUser, is: generated},
		"what is there is sent back":              {user: tenant, was: generated, is: generated},
		"an origin is set later":                  {user: tenant, was: bare, is: generated, refusal: forgedOrigin},
		"an origin is put right":                  {user: tenant, was: bare, is: given},
		"an origin changes":                       {user: tenant, was: generated, is: given, refusal: forgedOrigin},
		"an origin is left out":                   {user: tenant, was: generated, is: bare},
		"another id comes under an old origin":    {user: adopter, was: generated, is: fields("externalID", "two", "externalIDOrigin", "Generated"), refusal: "spec.externalID"},
		"an id comes under an origin without one": {user: adopter, was: fields("externalIDOrigin", "Generated"), is: generated, refusal: "spec.externalID cannot change while"},
		"an id is left out and its origin is not": {user: tenant, was: generated, is: fields("externalIDOrigin", "Generated"), refusal: "spec.externalID"},
		"the controllers fill in id and origin":   {user: controllersUser, was: fields(), is: generated},
		"the controllers' name is borrowed":       {user: tenant, is: made("userInfo", userInfo(controllersUser)), refusal: "spec."},
	})
}

func TestGivingAnIDNeedsTheVerbAdopt(t *testing.T) {
	c := installPolicies(t)
	users := people(t, c)
	given, bare := fields("externalID", "one", "externalIDOrigin", "Given"), fields("externalID", "one")
	restored := fields("externalID", anID, "externalIDOrigin", "Given", "userInfo", userInfo(adopter))
	check(t, users, map[string]claims{
		"a tenant gives an id":                         {user: tenant, is: bare, refusal: needsAdopt},
		"a tenant gives an id, as the webhook says":    {user: tenant, is: given, refusal: needsAdopt},
		"a tenant gives none":                          {user: tenant, is: fields("externalID", "")},
		"a tenant gives one later":                     {user: tenant, was: fields(), is: bare, refusal: needsAdopt},
		"a tenant keeps one":                           {user: tenant, was: given, is: given},
		"who may adopt gives an id":                    {user: adopter, is: bare},
		"who may adopt gives an id, the webhook says":  {user: adopter, is: given},
		"who may adopt gives one later":                {user: adopter, was: fields(), is: given},
		"who may adopt restores an object of a backup": {user: adopter, is: restored},
	})

	named := rule([]string{"adopt"}, []string{"serviceinstances"})
	named.ResourceNames = []string{"orders"}
	one := userWith(t, c, "adopter-of-one", edits(), named)
	instance := func(kind, name string) *unstructured.Unstructured {
		obj := idHolder(kind, bare)
		obj.SetGenerateName("")
		obj.SetName(name)
		return obj
	}
	require.NoError(t, one.Create(t.Context(), instance("ServiceInstance", "orders"), client.DryRunAll))
	require.ErrorContains(t, one.Create(t.Context(), instance("ServiceInstance", "others"), client.DryRunAll), needsAdopt)
	require.ErrorContains(t, one.Create(t.Context(), instance("ServiceBinding", "orders"), client.DryRunAll), needsAdopt)
}

// The ids in that annotation are unbound when their time has come.
func TestTheIDsOfCredentialsAreTheControllers(t *testing.T) {
	c := installPolicies(t)
	users := people(t, c)
	const ids, more = `{"inForce":"one"}`, `{"inForce":"one","old":[{"id":"of-another"}]}`
	for name, tc := range map[string]struct {
		user, was, is string
		refused       bool
	}{
		"a tenant makes a binding without":   {tenant, "", "", false},
		"a tenant makes a binding with ids":  {tenant, "", ids, true},
		"who may adopt restores a binding":   {adopter, "", ids, false},
		"a tenant sends back what there was": {tenant, ids, ids, false},
		"a tenant leaves it out":             {tenant, ids, "", false},
		"a tenant adds an id":                {tenant, ids, more, true},
		"an account named alike adds an id":  {namesake, ids, more, true},
		"the webhook's account adds an id":   {webhookUser, ids, more, true},
		"the controllers add an id":          {controllersUser, ids, more, false},
		"the controllers write the first":    {controllersUser, "", ids, false},
	} {
		t.Run(name, func(t *testing.T) {
			made := func(value string) *unstructured.Unstructured {
				if value == "" {
					return idHolder("ServiceBinding", nil)
				}
				return annotated(idHolder("ServiceBinding", nil), v1beta1.AnnotationCredentialIDs, value)
			}
			obj := made(tc.is)
			var err error
			if tc.was == "" && tc.user != controllersUser {
				err = users[tc.user].Create(t.Context(), obj, client.DryRunAll)
			} else {
				old := create(t, users[controllersUser], made(tc.was))
				obj.SetName(old.GetName())
				obj.SetResourceVersion(old.GetResourceVersion())
				err = users[tc.user].Update(t.Context(), obj, client.DryRunAll)
			}
			if !tc.refused {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "credential-ids")
			assert.True(t, refused(err), "%v", err)
		})
	}
}
