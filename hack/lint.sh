#!/usr/bin/env bash
# Runs the pinned golangci-lint over every module with the one configuration. All
# modules are looked at even when one has findings.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The first time this compiles the linter, which takes minutes.
lint=$("$GO" tool -n -modfile=go.lint.mod golangci-lint)
failed=()
while read -r dir; do
  say "lint $dir"
  (cd "$dir" && "$lint" run --config "$ROOT/.golangci.yml" ./... </dev/null) || failed+=("$dir")
done < <(modules)
[[ ${#failed[@]} -eq 0 ]] || die "findings in: ${failed[*]}"
