package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// event is one line of `go test -json`; the fields are those of `go doc test2json`.
type event struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string
}

// key names a test; with an empty test, the package.
type key struct{ pkg, test string }

// report gathers events. Output waits until its test ends: a test that passes
// has nothing to say.
type report struct {
	w       io.Writer
	verbose bool
	allow   *regexp.Regexp // "TestName: reason" for which a test may be skipped; nil: none

	output  map[key][]string
	passed  int
	failed  int
	skipped int
	refused []string        // skips whose reason is not allowed
	blamed  map[string]bool // packages with a failed test to their name
}

// add takes one event.
func (r *report) add(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.w, e.Output)
	case "output":
		r.addOutput(k, e.Output)
	case "pass":
		r.end(k, &r.passed)
	case "skip":
		if k.test != "" && !r.allowed(k) {
			r.refused = append(r.refused, fmt.Sprintf("%s, in %s", r.reason(k), k.pkg))
		}
		r.end(k, &r.skipped)
	case "fail":
		if k.test != "" {
			r.print(k)
		}
		r.end(k, &r.failed)
	}
}

// addOutput keeps a test's line, and prints a package's at once: it is the line
// that says ok, or what broke the whole binary.
func (r *report) addOutput(k key, line string) {
	switch {
	case r.verbose, k.test == "" && line != "PASS\n" && !strings.HasPrefix(line, "-test.shuffle"):
		fmt.Fprint(r.w, line)
	default:
		r.output[k] = append(r.output[k], line)
	}
	if r.verbose {
		r.output[k] = append(r.output[k], line) // for the reason of a skip
	}
}

// end counts the test and forgets its output.
func (r *report) end(k key, count *int) {
	if k.test == "" {
		r.endPackage(k, count == &r.failed)
		return
	}
	*count++
	if count == &r.failed {
		r.blamed[k.pkg] = true
	}
	delete(r.output, k)
}

// endPackage forgets the package. If it failed, what is left of its output is
// printed first: tests that never ended, because one of them took the process
// with it. A failure that no test stands for, as of a build, counts as one.
func (r *report) endPackage(k key, failed bool) {
	for open := range r.output {
		if open.pkg == k.pkg {
			if failed {
				r.print(open)
			}
			delete(r.output, open)
		}
	}
	if failed && !r.blamed[k.pkg] {
		r.failed++
	}
}

// print shows what the test said, unless that was done as it came.
func (r *report) print(k key) {
	if !r.verbose {
		fmt.Fprint(r.w, strings.Join(r.output[k], ""))
	}
}

// reason returns the skipped test's name and what it said, without the frame
// around it.
func (r *report) reason(k key) string {
	var said []string
	for _, line := range r.output[k] {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			said = append(said, line)
		}
	}
	return k.test + ": " + strings.Join(said, " ")
}

// allowed reports whether the test may be skipped for the reason it gave.
func (r *report) allowed(k key) bool {
	return r.allow != nil && r.allow.MatchString(r.reason(k))
}

// close prints the totals and tells whether the run counts as passed.
func (r *report) close() bool {
	for _, skip := range r.refused {
		fmt.Fprintln(r.w, "skipped, which counts as failed:", skip)
	}
	ran := r.passed+r.failed > 0
	if !ran {
		fmt.Fprintln(r.w, "no test ran")
	}
	fmt.Fprintf(r.w, "%d passed, %d failed, %d skipped\n", r.passed, r.failed+len(r.refused), r.skipped-len(r.refused))
	return ran && r.failed == 0 && len(r.refused) == 0
}
