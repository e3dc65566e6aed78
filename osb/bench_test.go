package osb

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkCatalog reads a catalog of 10,000 plans.
func BenchmarkCatalog(b *testing.B) {
	var plans []string
	for i := range 10000 {
		plans = append(plans, fmt.Sprintf(`{"id":"p%d","name":"n%d","description":"d","free":false,"metadata":{"bullets":["a"]},"schemas":{"service_instance":{"create":{"parameters":{"type":"object"}}}}}`, i, i))
	}
	body := []byte(`{"services":[{"id":"s","name":"db","description":"d","bindable":true,"plans":[` + strings.Join(plans, ",") + `]}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var w wireCatalog
		if err := decode(body, &w); err != nil {
			b.Fatal(err)
		}
		if c, problems := w.catalog(); len(problems) > 0 || len(c.Services[0].Plans) != 10000 {
			b.Fatal(problems)
		}
	}
}
