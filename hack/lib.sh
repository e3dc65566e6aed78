# Sourced by the other scripts: where the checkout is, and how they speak.
# shellcheck shell=bash
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
GO=${GO:-go}
cd "$ROOT"

# say prints one line about what happens now.
say() { printf '%s\n' "$*"; }

# die says what is missing and what to do, and ends the script.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# sources lists the files of the checkout that match the patterns, tracked or
# not yet, without what git ignores and without what was deleted.
sources() {
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do
    if [[ -e $f ]]; then printf '%s\n' "$f"; fi
  done
}

# modules lists the folders that have a go.mod, the root first.
modules() { sources go.mod '**/go.mod' | grep -v '/testdata/' | xargs -n1 dirname | sort -u; }

# e2e runs Go in the module of that name, with the flags of hack/build.sh: so what
# both stand on is compiled once.
e2e() { (cd e2e && CGO_ENABLED=0 GOFLAGS=-trimpath "$GO" "$@"); }
