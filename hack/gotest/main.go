package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
)

func main() {
	allow := flag.String("allow-skip", "", "tests may be skipped whose \"TestName: reason\" matches this regular expression")
	verbose := flag.Bool("v", false, "print everything as it comes")
	flag.Parse()
	ok, err := run(os.Stdin, os.Stdout, *allow, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run copies the report of the events in r to w and tells whether all is well.
func run(r io.Reader, w io.Writer, allow string, verbose bool) (bool, error) {
	rep := &report{w: w, verbose: verbose, output: map[key][]string{}, blamed: map[string]bool{}}
	if allow != "" {
		pattern, err := regexp.Compile(allow)
		if err != nil {
			return false, fmt.Errorf("read -allow-skip: %w", err)
		}
		rep.allow = pattern
	}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				rep.add(e)
			} else {
				fmt.Fprintf(w, "%s", line) // go itself speaks: a bad flag, a download
			}
		}
		if err == io.EOF {
			return rep.close(), nil
		}
		if err != nil {
			return false, fmt.Errorf("read events: %w", err)
		}
	}
}
