#!/usr/bin/env bash
# Usage: hack/generate.sh DIR
#
# Writes what is generated from markers into the checkout at DIR: deep copies
# beside the types, CRDs and RBAC rules into charts/catalog/files, from where the
# chart's templates read them. DIR is the checkout itself, or verify's copy of it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[[ $# -eq 1 ]] || die "usage: hack/generate.sh DIR"
cd "$1"

files=charts/catalog/files
gen=$("$GO" tool -n -modfile="$ROOT/go.tools.mod" controller-gen)

"$gen" object paths=./api/...
# Made aside and put in place as a whole: a kind or a rule that is gone leaves no
# file behind, and code that does not compile leaves the last good files.
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
"$gen" crd paths=./api/... "output:crd:artifacts:config=$new/crds"

# rbac ROLE PATTERN...: the rules that the markers in the packages ask for.
rbac() {
  local role=$1 dir paths=()
  shift
  for dir in "$@"; do
    if [[ -d $dir ]]; then paths+=("paths=./$dir/..."); fi
  done
  if [[ ${#paths[@]} -gt 0 ]]; then
    "$gen" "rbac:roleName=$role" "${paths[@]}" "output:rbac:artifacts:config=$new/rbac/$role"
  fi
}
rbac controllers controllers certs
rbac webhook webhook

mkdir -p "$files"
for made in "$new"/*; do
  rm -rf "${files:?}/$(basename "$made")"
  cp -R "$made" "$files/"
done
