#!/usr/bin/env bash
# Usage: hack/test.sh unit|integration|e2e [GO TEST FLAGS...]
#
# Three rings. What needs a real API server is in *_integration_test.go; there it
# carries the build tag integration, or skips itself and names KUBEBUILDER_ASSETS
# when that is not set, so that a plain `go test ./...` works anywhere. Nothing is
# skipped in silence here: the unit ring allows that reason in those tests alone,
# the integration ring runs exactly them and allows none, nor does e2e. What does
# the counting is hack/gotest; that no test hides behind a tag, internal/house.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[[ $# -ge 1 ]] || die "usage: hack/test.sh unit|integration|e2e [GO TEST FLAGS...]"
ring=$1
shift

report=$(mktemp -d)/gotest
trap 'rm -rf "$(dirname "$report")"' EXIT
"$GO" build -o "$report" ./hack/gotest

mapfile -t files < <(sources '*_integration_test.go' | grep -v '^e2e/')
[[ ${#files[@]} -gt 0 ]] || die "there is no *_integration_test.go: nothing would be tested"
names=$(grep -hEo '^func Test\w+\(' "${files[@]}" | sed -E 's/^func (\w+)\($/\1/' | grep -v '^TestMain$' | sort -u | paste -sd '|')

case $ring in
unit)
  # The broker's tests start a PostgreSQL of their own, from the PATH or Debian's.
  command -v initdb >/dev/null || hack/need-deb.sh '/usr/lib/postgresql/*/bin/postgres=postgresql'
  unset KUBEBUILDER_ASSETS
  # All modules make one report: a test that -run chooses is in one of them.
  modules | grep -v '^e2e' | {
    status=0
    while read -r dir; do
      say "unit tests of $dir"
      "$GO" -C "$dir" test -json -race -shuffle=on -timeout 10m "$@" ./... </dev/null || status=1
    done
    exit "$status"
  } | "$report" -allow-skip "^($names)[:/].*KUBEBUILDER_ASSETS"
  ;;
integration)
  KUBEBUILDER_ASSETS=$(e2e run ./cluster build) # with helm, for the charts
  export KUBEBUILDER_ASSETS
  for binary in kube-apiserver etcd helm; do
    [[ -x $KUBEBUILDER_ASSETS/$binary ]] || die "there is no $binary in '$KUBEBUILDER_ASSETS', where e2e/cluster builds"
  done
  mapfile -t packages < <(dirname "${files[@]}" | sort -u | sed 's|^|./|')
  say "integration tests of ${packages[*]} against the API server in $KUBEBUILDER_ASSETS"
  "$GO" test -json -race -shuffle=on -vet=off -tags integration -timeout 20m -run "^($names)\$" "$@" "${packages[@]}" | "$report"
  ;;
e2e)
  # The tag adds the tests of the local cluster itself.
  e2e test -json -count=1 -p 1 -tags cluster -timeout 60m "$@" ./... | "$report" -v
  ;;
*) die "there is no ring called $ring" ;;
esac
