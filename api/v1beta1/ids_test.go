package v1beta1_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func TestDerivedID(t *testing.T) {
	t.Parallel()
	id := v1beta1.DerivedID("prod", "ServiceInstance", "shop", "orders")
	assert.Equal(t, uuid.NewSHA1(uuid.NameSpaceOID, []byte("prod/ServiceInstance/shop/orders")).String(), id, "a UUID of version 5")
	for _, other := range []string{
		v1beta1.DerivedID("test", "ServiceInstance", "shop", "orders"),
		v1beta1.DerivedID("prod", "ServiceBinding", "shop", "orders"),
		v1beta1.DerivedID("prod", "ServiceInstance", "shop2", "orders"),
		v1beta1.DerivedID("prod", "ServiceInstance", "shop", "orders2"),
	} {
		assert.NotEqual(t, id, other)
	}
}
