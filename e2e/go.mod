module github.com/svc-cat/catalog/e2e

go 1.26.0

replace github.com/svc-cat/catalog => ../

require (
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.47.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
