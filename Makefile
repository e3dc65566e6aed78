# Service Catalog. `make` alone lists what there is; anything longer than a few
# lines lives in hack/. Needs Go, git, make and gcc (for the race detector); what
# else a target needs, it installs or says.

# The one version: binaries and images carry it, `make verify` holds the charts to it.
VERSION := 0.1.0

SHELL       := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The long targets share two cores, one cluster and one build cache.
.NOTPARALLEL:

GO   ?= go
# Passed to every `go test` below: make test-unit ARGS='-run TestNext -v'
ARGS ?=
# How long each fuzz target, and each benchmark, runs.
FUZZTIME  ?= 30s
BENCHTIME ?= 1s
# CLUSTER=current lets the demo use the current kubectl context; REGISTRY and
# POSTGRES_URI say where its images and its database are then. Only from make's
# command line: nobody's cluster is touched because of a variable in a profile.
given       = $(if $(filter command line,$(origin $(1))),--$(2)='$($(1))')
DEMO_FLAGS := $(call given,CLUSTER,cluster) $(call given,REGISTRY,registry) $(call given,POSTGRES_URI,postgres-uri)

# The flags of hack/build.sh, so that what stands below all is compiled once.
STATIC := CGO_ENABLED=0 GOFLAGS=-trimpath

export VERSION GO

##@ See it run

# What the demo cannot do here is said before minutes of building, not after.
.PHONY: demo-check
demo-check:
	@cd e2e && $(STATIC) $(GO) run ./demo check $(DEMO_FLAGS)

.PHONY: demo
demo: demo-check image ## Annotation to row in PostgreSQL, on a real local Kubernetes (CLUSTER=current: on yours)
	@cd e2e && $(STATIC) $(GO) run ./demo up $(DEMO_FLAGS)

.PHONY: demo-down
demo-down: ## Take away all that `make demo` made
	@cd e2e && $(STATIC) $(GO) run ./demo down $(DEMO_FLAGS)

.PHONY: cluster-up
cluster-up: ## Start the local cluster; kubeconfig and tools are left in .cluster/
	cd e2e && $(STATIC) $(GO) run ./cluster up

.PHONY: cluster-down
cluster-down: ## Stop the local cluster and leave nothing of it behind
	cd e2e && $(STATIC) $(GO) run ./cluster down

##@ Build

.PHONY: build
build: ## Static binaries of all commands into bin/
	hack/build.sh

.PHONY: image
image: ## OCI archives into dist/, reproducible, no Docker needed
	hack/image.sh

.PHONY: generate
generate: ## Deepcopy, CRDs and RBAC rules from the markers in the code
	hack/generate.sh .

##@ Test

.PHONY: test
test: test-unit test-integration test-e2e ## All tests, the fast ones first

.PHONY: test-unit
test-unit: ## Pure packages, client, brokers (against a real PostgreSQL), the house rules
	hack/test.sh unit $(ARGS)

.PHONY: test-integration
test-integration: ## Controllers, webhook, certificates against a real API server
	hack/test.sh integration $(ARGS)

.PHONY: test-e2e
test-e2e: image ## What the demo shows, asserted, on the local cluster
	hack/test.sh e2e $(ARGS)

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (30s)
	hack/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Every benchmark, with allocations, for BENCHTIME (1s); those against a real API server once
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(ARGS) ./...
	KUBEBUILDER_ASSETS=$$(cd e2e && $(STATIC) $(GO) run ./cluster build) \
	  $(GO) test -tags integration -run '^$$' -bench . -benchtime 1x -timeout 20m $(ARGS) ./controllers

##@ Before a commit

.PHONY: presubmit
presubmit: verify lint test ## verify, lint and test

.PHONY: verify
verify: ## Generated files, gofmt, go.mod, vet, charts and versions are as they should be
	hack/verify.sh

.PHONY: lint
lint: ## golangci-lint over all modules (.golangci.yml)
	hack/lint.sh

.PHONY: fmt
fmt: ## gofmt everything
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

.PHONY: clean
clean: ## Remove bin/ and dist/ (not the local cluster: that is cluster-down)
	rm -rf bin dist

.PHONY: help
help: ## Print this
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
