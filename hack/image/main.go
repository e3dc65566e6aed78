package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// repository is the registry part of every image name of ours. It names no
// server: the dot keeps container runtimes from expanding it to their default.
const repository = "svc-cat.local"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run writes one archive per argument of the form NAME=BINARY=TITLE.
func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	version := flags.String("version", "", "tag of the images, and their version label")
	out := flags.String("out", "dist", "folder for the archives, NAME.tar each")
	arch := flags.String("arch", runtime.GOARCH, "architecture the binaries were built for")
	_ = flags.Parse(args) // ExitOnError
	if *version == "" || flags.NArg() == 0 {
		return errors.New("-version and at least one NAME=BINARY=TITLE are needed")
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	base, err := baseLayer()
	if err != nil {
		return fmt.Errorf("make base layer: %w", err)
	}
	for _, arg := range flags.Args() {
		parts := strings.SplitN(arg, "=", 3)
		if len(parts) != 3 {
			return fmt.Errorf("%q is not NAME=BINARY=TITLE", arg)
		}
		s := spec{Name: parts[0], Binary: parts[1], Title: parts[2], Version: *version, Arch: *arch, Base: base}
		if err := s.write(filepath.Join(*out, s.Name+".tar")); err != nil {
			return fmt.Errorf("image %s: %w", s.Name, err)
		}
	}
	return nil
}

// write builds the image and brings the archive at path up to date, saying on
// standard output which it was and how long it took.
func (s spec) write(path string) error {
	start := time.Now()
	img, err := s.build()
	if err != nil {
		return err
	}
	a, err := newArchive(img, s.annotations())
	if err != nil {
		return err
	}
	verb := "unchanged"
	if !a.isAt(path) {
		verb = "written"
		if err := a.writeTo(path); err != nil {
			return err
		}
	}
	fmt.Printf("%s: %s %s, %.1f MB, %s, %.1fs\n",
		s.ref(), filepath.Base(path), verb, float64(a.size())/1e6, a.digest, time.Since(start).Seconds())
	return nil
}
