package house

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The linter's rules stand between these two lines of .golangci.yml.
const (
	rulesBegin = "      # The house, written by `go test ./internal/house -update`.\n"
	rulesEnd   = "      # The end of the house.\n"
)

// Depguard returns the rooms as rules of the linter depguard, as YAML. They are
// a little weaker than CheckImports: they know no impure calls.
func Depguard(rooms []Room) string {
	var b strings.Builder
	fmt.Fprintf(&b, "      rules:\n")
	for _, r := range rooms {
		if r.Any {
			continue
		}
		fmt.Fprintf(&b, "        %s:\n          list-mode: strict\n          files:\n", strings.ReplaceAll(r.Path, "/", "-"))
		fmt.Fprintf(&b, "            - \"${config-path}/%s/**\"\n            - \"!$test\"\n", r.Path)
		for _, inner := range r.inner(rooms) {
			fmt.Fprintf(&b, "            - \"!${config-path}/%s/**\"\n", inner)
		}
		fmt.Fprintf(&b, "          allow:\n")
		for _, allowed := range r.depguardAllow() {
			fmt.Fprintf(&b, "            - %s\n", allowed)
		}
		r.writeDeny(&b, rooms)
	}
	return b.String()
}

// inner returns the paths of the rooms that lie inside this one.
func (r Room) inner(rooms []Room) []string {
	var all []string
	for _, other := range rooms {
		if other.Path != r.Path && isBelow(other.Path, r.Path) {
			all = append(all, other.Path)
		}
	}
	return all
}

// writeDeny writes what the allowed prefixes cover and the room may not have.
func (r Room) writeDeny(b *strings.Builder, rooms []Room) {
	inner := r.inner(rooms)
	if !r.Pure && len(inner) == 0 {
		return
	}
	fmt.Fprintf(b, "          deny:\n")
	for _, path := range inner {
		fmt.Fprintf(b, "            - {pkg: %s/%s, desc: %s is another room}\n", Module, path, path)
	}
	if r.Pure {
		for _, p := range impurePackages {
			fmt.Fprintf(b, "            - {pkg: %s$, desc: %s is pure}\n", p, r.Path)
		}
	}
}

// depguardAllow returns the room's list in the linter's words, where a prefix
// that must not go deeper ends in a dollar sign.
func (r Room) depguardAllow() []string {
	var all []string
	for _, p := range r.Packages {
		if p == Std {
			p = "$gostd"
		}
		all = append(all, p)
	}
	all = append(all, Module+"/"+r.Path)
	for _, other := range r.Rooms {
		all = append(all, Module+"/"+other+"$")
	}
	slices.Sort(all)
	return all
}

// replaceRules returns the configuration with the text between the two marks
// replaced.
func replaceRules(config, rules string) (string, error) {
	before, rest, ok := strings.Cut(config, rulesBegin)
	_, after, ended := strings.Cut(rest, rulesEnd)
	if !ok || !ended {
		return "", errors.New(".golangci.yml has lost the marks around the house's import rules")
	}
	return before + rulesBegin + rules + rulesEnd + after, nil
}
