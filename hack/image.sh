#!/usr/bin/env bash
# Usage: hack/image.sh [NAME...]
#
# Writes the images (all, or those named) as OCI archives, dist/NAME.tar each.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
: "${VERSION:?run through make, which knows the version}"

declare -A titles=(
  [catalog]="Service Catalog: the controllers, and the webhook that injects"
  [postgres-broker]="An Open Service Broker that makes databases in a PostgreSQL server"
  [test-broker]="An Open Service Broker for tests, which fails in every way there is"
  [demo-app]="Reads its injected credentials, writes a row and reads it back"
)
names=("$@")
if [[ $# -eq 0 ]]; then names=(catalog postgres-broker test-broker demo-app); fi

images=()
for name in "${names[@]}"; do
  [[ -n ${titles[$name]:-} ]] || die "no image is called $name; there are: ${!titles[*]}"
  images+=("$name=$ROOT/bin/$name=${titles[$name]}")
done

hack/build.sh "${names[@]}"
cd hack/image
CGO_ENABLED=0 GOFLAGS=-trimpath "$GO" run . -version "$VERSION" -out "$ROOT/dist" "${images[@]}"
