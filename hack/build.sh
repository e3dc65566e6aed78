#!/usr/bin/env bash
# Usage: hack/build.sh [NAME...]
#
# Builds the commands (all, or those named) as static Linux binaries into bin/.
# What the machine or the shell brings is kept out: the same source and the same
# Go give the same bytes in any folder, and a binary that is right is left alone.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
: "${VERSION:?run through make, which knows the version}"

GOARCH=$("$GO" env GOHOSTARCH)
export GOARCH GOOS=linux CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOFLAGS='' GOEXPERIMENT='' GOWORK=off

# main NAME: the folder of the command.
main() {
  local folder
  for folder in cmd examples; do
    if [[ -e $folder/$1/main.go ]]; then printf '%s\n' "$folder/$1"; return; fi
  done
  die "there is no command $1: neither cmd/$1/main.go nor examples/$1/main.go is there"
}

names=("$@")
if [[ $# -eq 0 ]]; then
  mapfile -t names < <(sources 'cmd/*/main.go' 'examples/*/main.go' | xargs -r -n1 dirname | xargs -r -n1 basename)
fi
for name in "${names[@]}"; do
  package=$(main "$name")
  SECONDS=0
  # The first time, what a command stands on is compiled too: minutes without a word.
  while sleep 15 >/dev/null 2>&1; do say "  still building bin/$name (${SECONDS}s)"; done &
  alive=$!
  trap 'kill "$alive" 2>/dev/null || true' EXIT
  "$GO" build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o "bin/$name" "./$package"
  kill "$alive"
  wait "$alive" 2>/dev/null || true
  say "bin/$name (${SECONDS}s)"
done
