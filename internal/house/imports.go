package house

import (
	"fmt"
	"slices"
	"strings"
)

// Package is what the import rules need to know of one.
type Package struct {
	ImportPath string
	Imports    []string // direct ones, of files that are not tests
}

// CheckImports returns one sentence for each import that the rooms forbid, and
// for each package that is in no room.
func CheckImports(rooms []Room, packages []Package) []string {
	var found []string
	for _, p := range packages {
		room, ok := roomOf(rooms, p.ImportPath)
		if !ok {
			found = append(found, fmt.Sprintf("%s is in no room: give it one in internal/house/rooms.go", p.ImportPath))
			continue
		}
		for _, imported := range p.Imports {
			if why := room.refuses(rooms, imported); why != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", p.ImportPath, imported, why))
			}
		}
	}
	return found
}

// roomOf returns the room of a package of the module.
func roomOf(rooms []Room, importPath string) (Room, bool) {
	best, ok := Room{}, false
	for _, r := range rooms {
		if isBelow(importPath, Module+"/"+r.Path) && (!ok || len(r.Path) > len(best.Path)) {
			best, ok = r, true
		}
	}
	return best, ok
}

// refuses returns why the room may not import the package, or "".
func (r Room) refuses(rooms []Room, imported string) string {
	if isBelow(imported, Module) {
		return r.refusesRoom(rooms, imported)
	}
	if r.Pure && slices.Contains(impurePackages, imported) {
		return r.Path + " is pure: same input, same output, and nothing else"
	}
	if r.Any || slices.ContainsFunc(r.Packages, func(allowed string) bool { return covers(allowed, imported) }) {
		return ""
	}
	return fmt.Sprintf("%s may import %s", r.Path, r.summary())
}

// refusesRoom is refuses for a package of our own.
func (r Room) refusesRoom(rooms []Room, imported string) string {
	other, ok := roomOf(rooms, imported)
	switch {
	case !ok:
		return "it is in no room"
	case other.Path == r.Path, slices.Contains(r.Rooms, other.Path):
		return ""
	case other.Any:
		return other.Path + " holds wiring, which nobody imports"
	case r.Any:
		return ""
	}
	return fmt.Sprintf("%s may import %s", r.Path, r.summary())
}

// summary lists what the room may import.
func (r Room) summary() string {
	return strings.Join(slices.Concat(r.Rooms, r.Packages), ", ")
}

// covers reports whether an entry of Packages allows the import.
func covers(allowed, imported string) bool {
	if allowed == Std {
		first, _, _ := strings.Cut(imported, "/")
		return !strings.Contains(first, ".")
	}
	return isBelow(imported, allowed)
}

// isBelow reports whether the import path is the other one or lies below it.
func isBelow(path, above string) bool {
	return path == above || strings.HasPrefix(path, above+"/")
}
