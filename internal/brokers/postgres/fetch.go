package postgres

import (
	"context"
	"errors"

	"github.com/svc-cat/catalog/osb"
)

// GetInstance tells what an instance was provisioned with (B22). It waits for no
// lock: a record is always whole.
func (b *Broker) GetInstance(ctx context.Context, r *osb.GetInstanceRequest) (*osb.GetInstanceResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, b.operationTimeout)
	defer cancel()
	in, err := b.readyInstance(ctx, r.InstanceID)
	if err != nil {
		return nil, b.answer(err)
	}
	return &osb.GetInstanceResponse{ServiceID: in.serviceID, PlanID: in.planID, Parameters: in.parameters}, nil
}

// GetBinding tells the credentials again (B22).
func (b *Broker) GetBinding(ctx context.Context, r *osb.GetBindingRequest) (*osb.GetBindingResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, b.operationTimeout)
	defer cancel()
	if err := checkIDs(r.BindingID); err != nil {
		return nil, err
	}
	in, err := b.readyInstance(ctx, r.InstanceID)
	if err != nil {
		return nil, b.answer(err)
	}
	bd, err := loadBinding(ctx, b.server.pool, r.BindingID)
	switch {
	case errors.Is(err, errNoRecord):
		return nil, errNoBinding
	case err != nil:
		return nil, b.answer(err)
	case bd.instanceID != in.id || bd.state == stateIntended:
		return nil, errNoBinding
	case bd.state == stateDeleting:
		return nil, errUnbinding
	}
	data, err := b.bindingData(in, bd)
	if err != nil {
		return nil, err
	}
	return &osb.GetBindingResponse{BindingData: data}, nil
}

// readyInstance finds an instance that is neither half made nor half gone. To a
// platform the first does not exist yet, the second is busy.
func (b *Broker) readyInstance(ctx context.Context, id string) (*instance, error) {
	if err := checkIDs(id); err != nil {
		return nil, err
	}
	in, err := loadInstance(ctx, b.server.pool, id)
	switch {
	case errors.Is(err, errNoRecord):
		return nil, errNoInstance
	case err != nil:
		return nil, err
	case in.state == stateDeleting:
		return nil, errDeleting
	case in.state != stateReady:
		return nil, errNoInstance
	}
	return in, nil
}
