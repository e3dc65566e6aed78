#!/usr/bin/env bash
# Usage: hack/fuzz.sh TIME
#
# Runs every fuzz target of every module for TIME, one after the other: go test
# takes one target at a time.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[[ $# -eq 1 ]] || die "usage: hack/fuzz.sh TIME"

found=0
while IFS=: read -r file target; do
  found=$((found + 1))
  say "$target in $(dirname "$file")"
  (cd "$(dirname "$file")" && "$GO" test -run '^$' -fuzz "^$target\$" -fuzztime "$1" .)
done < <(sources '*_test.go' | xargs grep -Eo '^func Fuzz\w+' | sed 's/func //')
say "$found fuzz targets ran for $1 each"
