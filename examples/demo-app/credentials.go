package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// fromFiles looks below $SERVICE_BINDING_ROOT for the binding whose type is
// kind, by the convention of servicebinding.io, and returns its connection URI
// and where it was found.
func fromFiles(root fs.FS, kind string) (uri, where string, err error) {
	entries, err := fs.ReadDir(root, ".")
	if err != nil {
		return "", "", fmt.Errorf("read the bindings: %w", err)
	}
	for _, e := range entries {
		got, err := fs.ReadFile(root, filepath.Join(e.Name(), "type"))
		if err != nil || strings.TrimSpace(string(got)) != kind {
			continue
		}
		value, err := fs.ReadFile(root, filepath.Join(e.Name(), "uri"))
		if err != nil {
			return "", "", fmt.Errorf("read uri of binding %q: %w", e.Name(), err)
		}
		return strings.TrimSpace(string(value)), filepath.Join(e.Name(), "uri"), nil
	}
	return "", "", fmt.Errorf("no binding is of type %q; annotate the Pod with servicecatalog.k8s.io/binding", kind)
}

// fromEnv returns the connection URI that a variable holds.
func fromEnv(lookup func(string) (string, bool), name string) (string, error) {
	if uri, ok := lookup(name); ok && uri != "" {
		return uri, nil
	}
	return "", fmt.Errorf("the variable %s is not set; annotate the Pod with servicecatalog.k8s.io/binding", name)
}

// credentials reads the connection URI from where source says.
func credentials(source string) (uri, where string, err error) {
	switch source {
	case "files":
		root := os.Getenv("SERVICE_BINDING_ROOT")
		if root == "" {
			return "", "", errors.New("SERVICE_BINDING_ROOT is not set; annotate the Pod with servicecatalog.k8s.io/binding")
		}
		uri, name, err := fromFiles(os.DirFS(root), "postgresql")
		return uri, "file " + filepath.Join(root, name), err
	case "env":
		const name = "ORDERS_DB_URI"
		uri, err := fromEnv(os.LookupEnv, name)
		return uri, "variable " + name, err
	}
	return "", "", fmt.Errorf("-from is %q; give files or env", source)
}
