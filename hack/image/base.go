package main

import (
	"bytes"
	"debug/elf"
	"encoding/pem"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// certificatesPath is where Go, OpenSSL and most else look for root certificates.
const certificatesPath = "etc/ssl/certs/ca-certificates.crt"

// baseLayer returns the layer that all images share. Root certificates are a
// file, not linked into the binary, so that a platform team can mount its own
// list over it; they come from a module pinned by hash, not from the machine, so
// that every machine makes the same image.
func baseLayer() (v1.Layer, error) {
	return newLayer(
		entry{Path: "etc", Mode: 0o755, Dir: true},
		entry{Path: "etc/group", Mode: 0o644, Content: fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", uid)},
		entry{Path: "etc/passwd", Mode: 0o644, Content: fmt.Appendf(nil,
			"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/:/sbin/nologin\n", uid, uid)},
		entry{Path: "etc/ssl", Mode: 0o755, Dir: true},
		entry{Path: "etc/ssl/certs", Mode: 0o755, Dir: true},
		entry{Path: certificatesPath, Mode: 0o644, Content: certificates()},
	)
}

// certificates returns Mozilla's roots as PEM. Roots trusted only for what they
// signed before some day are left out: PEM cannot say so, and half a rule is
// trust that Mozilla does not give.
func certificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes all
		}
	}
	return b.Bytes()
}

// checkStatic refuses a binary that could not start in an image without a
// loader, libc or the right processor.
func checkStatic(content []byte, arch string) error {
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("not a Linux binary: %w", err)
	}
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if want, known := machines[arch]; known && file.Machine != want {
		return fmt.Errorf("built for %s, the image is for %s", file.Machine, arch)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("needs a loader, which the image does not have: build it with CGO_ENABLED=0")
		}
	}
	return nil
}
