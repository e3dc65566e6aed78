#!/usr/bin/env bash
# Checks that what is derived is up to date, and changes nothing: everything is
# made again in a copy of the checkout. All checks run, then it says which failed.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
: "${VERSION:?run through make, which knows the version}"

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
failed=()

# check NAME COMMAND...: the command succeeds.
check() {
  local name=$1
  shift
  say "verify $name"
  if ! "$@"; then failed+=("$name"); fi
}

# Each check below is a function in which a failing command ends the check: bash
# ignores `set -e` inside a condition, hence the ands.

# What the markers in the code say is what is committed.
generated() {
  hack/generate.sh "$copy" &&
    diff -ru api "$copy/api" && diff -ru charts/catalog/files "$copy/charts/catalog/files" ||
    { say "run: make generate"; return 1; }
}

formatted() {
  local bad
  bad=$(sources '*.go' | xargs gofmt -l)
  [[ -z $bad ]] || { say "$bad"; say "run: make fmt"; return 1; }
}

# go.mod and go.sum of every module hold what is needed and no more.
tidy() {
  local dir bad=0
  while read -r dir; do
    "$GO" -C "$dir" mod tidy -diff || { say "run: go -C $dir mod tidy"; bad=1; }
  done < <(modules)
  return $bad
}

vetted() {
  local dir bad=0
  while read -r dir; do
    "$GO" -C "$dir" vet -tags integration ./... || bad=1
  done < <(modules)
  return $bad
}

scripts() {
  local file bad=0
  while read -r file; do
    bash -n "$file" || bad=1
  done < <(sources 'hack/*.sh' .ci/run)
  return $bad
}

# The Makefile, short as it should be, has the version that the charts have.
versions() {
  local chart version bad=0
  [[ $(wc -l <Makefile) -lt 150 ]] || { say "the Makefile has 150 lines or more: move logic to hack/"; bad=1; }
  while read -r chart; do
    version=$(sed -nE 's/^appVersion: *"?([^" ]+)"?.*/\1/p' "$chart")
    [[ $version == "$VERSION" ]] || { say "$chart: appVersion is '$version', the Makefile says '$VERSION'"; bad=1; }
  done < <(sources 'charts/*/Chart.yaml')
  return $bad
}

# Charts lint, and render the same bytes every time (drift in Git otherwise).
charts() {
  local chart helm bad=0
  helm=$(cd e2e && "$GO" run ./cluster build)/helm || return 1
  while read -r chart; do
    chart=$(dirname "$chart")
    "$helm" lint --strict --quiet "$chart" || bad=1
    "$helm" template release "$chart" >"$copy/once.yaml" && "$helm" template release "$chart" >"$copy/twice.yaml" &&
      diff -u "$copy/once.yaml" "$copy/twice.yaml" || { say "$chart does not render, or not the same twice"; bad=1; }
  done < <(sources 'charts/*/Chart.yaml')
  return $bad
}

# The same source in another folder gives the same images.
reproducible() {
  local name bad=0
  hack/image.sh && "$copy/hack/image.sh" >/dev/null || return 1
  for name in "$copy"/dist/*.tar; do
    cmp "$name" "dist/$(basename "$name")" || bad=1
  done
  return $bad
}

sources | tar -c -T - | tar -x -C "$copy"
check "generated files" generated
check "gofmt" formatted
check "go.mod and go.sum" tidy
check "go vet" vetted
check "shell scripts" scripts
check "versions" versions
check "charts" charts
check "reproducible images" reproducible

[[ ${#failed[@]} -eq 0 ]] || die "failed: $(printf '%s; ' "${failed[@]}")"
say "verify: all is as it should be"
