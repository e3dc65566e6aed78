// Package osb is a client for the Open Service Broker API, version 2.17, and its
// wire types, on the standard library alone.
//
//	client, err := osb.NewClient(osb.Config{URL: url, Auth: osb.BearerAuth(token)})
//	offered, err := client.GetCatalog(ctx, &osb.CatalogRequest{})
//	made, err := client.Provision(ctx, &osb.ProvisionRequest{InstanceID: id, ...})
//
// Each call of the API is one method of Client. What fails is an *Error, classified
// once, from the spec's tables: its Kind, whose move it is (Actor), whether the same
// request may be sent again (Retryable), whether a resource may have been left
// behind (OrphanMitigation), and whether the request may have been carried out
// unheard (Lost). Callers branch on these and never on status codes.
//
// The package refuses to retry, to poll and to keep state: that is the platform's
// part. It follows no redirect, uses no proxy, trusts no Content-Type, reads no body
// without a bound, dials no link-local or metadata address (AddressGuard forbids
// more), and puts no credential, header or foreign HTML into an error.
//
// Numbers such as P42 and B12 in comments count the spec's rules, for the platform
// and for the broker; docs/osb-requirements.md lists them with their tests. Package
// osb/broker is the other side: a kit to write brokers with.
package osb
