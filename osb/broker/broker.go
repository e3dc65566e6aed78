package broker

import (
	"context"

	"github.com/svc-cat/catalog/osb"
)

// Broker is what a broker author implements. The kit has checked a request
// before it comes here: authentication, version, JSON, required fields, and
// that service and plan are in the catalog and belong together.
//
// Return one of this package's errors to answer with its code (ErrConflict,
// BadRequest, …). Any other error is answered with 500 and a text that does
// not repeat it. All methods must be safe for concurrent use, and safe to
// repeat: platforms send a request again when they lost the answer (B12, B27).
type Broker interface {
	// Catalog returns what is offered. It is asked on each request, so it must be cheap.
	Catalog(ctx context.Context) (*osb.Catalog, error)
	// Provision makes an instance. Existed answers 200, Async 202, else 201 (B12).
	Provision(ctx context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error)
	// Deprovision deletes an instance, finished or half made; ErrGone if there is none (B19, B27).
	Deprovision(ctx context.Context, r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error)
	// Bind makes credentials. Existed answers 200, Async 202, else 201 (B17).
	Bind(ctx context.Context, r *osb.BindRequest) (*osb.BindResponse, error)
	// Unbind revokes credentials; ErrGone if there are none (B19).
	Unbind(ctx context.Context, r *osb.UnbindRequest) (*osb.UnbindResponse, error)
}

// Updater is implemented by brokers whose instances can change (B16). Without
// it every update is answered with 422: not supported.
type Updater interface {
	Update(ctx context.Context, r *osb.UpdateRequest) (*osb.UpdateResponse, error)
}

// Poller is implemented by brokers that answer 202 (B21). BindingID is empty
// when the operation of an instance is asked for. Without it: 404.
type Poller interface {
	LastOperation(ctx context.Context, r *osb.LastOperationRequest) (*osb.LastOperationResponse, error)
}

// InstanceGetter is implemented by brokers with instances_retrievable (B22).
// Without it: 404.
type InstanceGetter interface {
	GetInstance(ctx context.Context, r *osb.GetInstanceRequest) (*osb.GetInstanceResponse, error)
}

// BindingGetter is implemented by brokers with bindings_retrievable (B22).
// Without it: 404.
type BindingGetter interface {
	GetBinding(ctx context.Context, r *osb.GetBindingRequest) (*osb.GetBindingResponse, error)
}
