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

# The rules that each process needs, as the markers in its package ask for. certs,
# a part of both, has its rules in the chart: they name one Secret, and the release
# names that.
for room in controllers webhook; do
  if [[ -d $room ]]; then
    "$gen" "rbac:roleName=$room" "paths=./$room/..." "output:rbac:artifacts:config=$new/rbac/$room"
  fi
done

mkdir -p "$files"
for made in "$new"/*; do
  rm -rf "${files:?}/$(basename "$made")"
  cp -R "$made" "$files/"
done
