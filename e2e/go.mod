module github.com/svc-cat/catalog/e2e

go 1.26.0

replace github.com/svc-cat/catalog => ../

require golang.org/x/sys v0.47.0 // indirect
