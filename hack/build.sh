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

packages=()
for main in cmd/*/main.go examples/*/main.go; do
  if [[ -e $main ]]; then packages+=("$(dirname "$main")"); fi
done

for package in "${packages[@]}"; do
  name=$(basename "$package")
  if [[ $# -gt 0 && " $* " != *" $name "* ]]; then continue; fi
  "$GO" build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o "bin/$name" "./$package"
  say "bin/$name"
done
