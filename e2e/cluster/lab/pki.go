package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity outlives any cluster; nothing here rotates.
const validity = 10 * 365 * 24 * time.Hour

// identity is one key pair to make: who it is and where it may serve.
type identity struct {
	file   string
	name   string
	groups []string
	hosts  []string
	ca     string
}

// identities are all certificates of the cluster.
func identities() []identity {
	const ca, proxyCA = "ca", "front-proxy-ca"
	admins := []string{"system:masters"}
	return []identity{
		// 127.0.0.1 is how the host and the components dial it.
		{"apiserver", "kube-apiserver", nil, []string{
			"127.0.0.1", nodeIP, apiServiceIP, "localhost", "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}, ca},
		{"apiserver-kubelet-client", "kube-apiserver-kubelet-client", admins, nil, ca},
		{"front-proxy-client", "front-proxy-client", nil, nil, proxyCA},
		{"admin", "kubernetes-admin", admins, nil, ca},
		{"kube-controller-manager", "system:kube-controller-manager", nil, nil, ca},
		{"kube-scheduler", "system:kube-scheduler", nil, nil, ca},
		{"kube-proxy", "system:kube-proxy", nil, nil, ca},
		// One pair for both ends: the kubelet calls the API server with it and
		// serves logs and exec with it.
		{"kubelet", "system:node:" + nodeName, []string{"system:nodes"}, []string{nodeIP, "127.0.0.1", nodeName}, ca},
		// CoreDNS reads Services of all namespaces; outside of a Pod it has no
		// ServiceAccount whose role could say so.
		{"coredns", "coredns", admins, nil, ca},
		{"postgres", "postgres", nil, []string{nodeIP, "127.0.0.1", "localhost"}, ca},
	}
}

// kubeconfigUsers are the identities that get a kubeconfig for use inside.
func kubeconfigUsers() []string {
	return []string{"kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "coredns"}
}

type keyPair struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
	keyPEM  []byte
}

// writePKI makes a new authority and all key pairs in dir.
func writePKI(dir string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the PKI folder: %w", err)
	}
	authorities := map[string]*keyPair{}
	for _, name := range []string{"ca", "front-proxy-ca"} {
		pair, err := newAuthority("svc-cat-local-"+name, now)
		if err != nil {
			return fmt.Errorf("make authority %s: %w", name, err)
		}
		if err := pair.write(dir, name); err != nil {
			return err
		}
		authorities[name] = pair
	}
	for _, id := range identities() {
		pair, err := authorities[id.ca].issue(id, now)
		if err != nil {
			return fmt.Errorf("issue certificate %s: %w", id.file, err)
		}
		if err := pair.write(dir, id.file); err != nil {
			return err
		}
	}
	return writeServiceAccountKeys(dir)
}

func newAuthority(name string, now time.Time) (*keyPair, error) {
	template, err := newTemplate(name, now)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	return sign(template, nil)
}

// issue signs a certificate for id as its authority.
func (p *keyPair) issue(id identity, now time.Time) (*keyPair, error) {
	template, err := newTemplate(id.name, now)
	if err != nil {
		return nil, err
	}
	template.Subject.Organization = id.groups
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(id.hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range id.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	return sign(template, p)
}

func newTemplate(name string, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		// A clock that is set back a little must not break a running cluster.
		NotBefore: now.Add(-time.Hour),
		NotAfter:  now.Add(validity),
	}, nil
}

// sign makes a key for template and signs it with ca, or with itself.
func sign(template *x509.Certificate, ca *keyPair) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the key: %w", err)
	}
	return &keyPair{
		cert: cert, key: key,
		certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyPEM:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	}, nil
}

func (p *keyPair) write(dir, name string) error {
	if err := os.WriteFile(filepath.Join(dir, name+".crt"), p.certPEM, 0o644); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".key"), p.keyPEM, 0o600); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

// writeServiceAccountKeys makes the pair that signs ServiceAccount tokens.
func writeServiceAccountKeys(dir string) error {
	pair, err := newAuthority("service-accounts", time.Now())
	if err != nil {
		return fmt.Errorf("make the ServiceAccount key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(pair.key.Public())
	if err != nil {
		return fmt.Errorf("encode the ServiceAccount key: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sa.key"), pair.keyPEM, 0o600); err != nil {
		return fmt.Errorf("write the ServiceAccount key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	if err := os.WriteFile(filepath.Join(dir, "sa.pub"), text, 0o644); err != nil {
		return fmt.Errorf("write the ServiceAccount key: %w", err)
	}
	return nil
}

// writeKubeconfig writes a kubeconfig for user from the key pair in pkiDir.
func writeKubeconfig(path, pkiDir, user, server string) error {
	var parts [3][]byte
	for i, name := range []string{"ca.crt", user + ".crt", user + ".key"} {
		text, err := os.ReadFile(filepath.Join(pkiDir, name))
		if err != nil {
			return fmt.Errorf("read key pair for kubeconfig: %w", err)
		}
		parts[i] = text
	}
	text, err := kubeconfig(server, parts[0], parts[1], parts[2])
	if err != nil {
		return err
	}
	return writeFile(path, text, 0o600)
}

// writeFile replaces a file in one step, so that a reader or a killed writer
// never leaves half of it.
func writeFile(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(content)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
