#!/usr/bin/env bash
# Checks that what is derived is up to date, and changes nothing: everything is
# made again in a copy of the checkout. All checks run, then it says which failed.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
: "${VERSION:?run through make, which knows the version}"

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
copy=$temp/copy
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
    "$GO" -C "$dir" vet -tags integration,cluster ./... || bad=1
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

# render CHART [HELM FLAGS...]: it lints, and renders the same bytes every time;
# anything else would be drift in Git.
render() {
  local chart=$1 helm=$temp/helm
  shift
  say "  $chart $*"
  "$helm" lint --strict --quiet "$chart" "$@" 2>"$temp/complaints" &&
    "$helm" template release "$chart" "$@" >"$temp/once" 2>>"$temp/complaints" &&
    "$helm" template release "$chart" "$@" >"$temp/twice" 2>>"$temp/complaints" &&
    diff -u "$temp/once" "$temp/twice" && return 0
  cat "$temp/complaints"
  return 1
}

# Each chart is rendered by its defaults, unless it says in ci/required-values.yaml
# what nobody could choose for the user, and with each values file of its ci folder.
charts() {
  local chart values tools bad=0
  tools=$(e2e run ./cluster build) && ln -s "$tools/helm" "$temp/helm" || return 1
  for chart in charts/*/; do
    chart=${chart%/}
    if [[ ! -e $chart/ci/required-values.yaml ]]; then
      render "$chart" || bad=1
    fi
    while read -r values; do
      render "$chart" --values "$values" || bad=1
    done < <(sources "$chart/ci/*.yaml")
  done
  return $bad
}

# The same source in two folders gives the same images.
reproducible() {
  local name other=$temp/other bad=0
  cp -R "$copy" "$other" &&
    "$copy/hack/image.sh" >/dev/null && "$other/hack/image.sh" || return 1
  for name in "$copy"/dist/*.tar; do
    cmp "$name" "$other/dist/$(basename "$name")" || bad=1
  done
  return $bad
}

mkdir "$copy"
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
