package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
)

// checkNode asks, as the administrator and by the way a user would, whether
// Pods can run: the node is Ready and the ServiceAccount they get is there.
func (c *Cluster) checkNode(ctx context.Context, port int) error {
	client, err := c.adminClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	base := "https://127.0.0.1:" + strconv.Itoa(port) + "/api/v1/"
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := get(ctx, client, base+"nodes/"+nodeName, &node); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if err := get(ctx, client, base+"namespaces/default/serviceaccounts/default", nil); err != nil {
		return fmt.Errorf("the default ServiceAccount: %w", err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type != "Ready" {
			continue
		}
		if condition.Status != "True" {
			return fmt.Errorf("node not Ready: %s", condition.Message)
		}
		return nil
	}
	return errors.New("node not Ready: it has not reported yet")
}

// adminClient speaks to the API server with the administrator's certificate.
func (c *Cluster) adminClient() (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(c.layout.pki("admin.crt"), c.layout.pki("admin.key"))
	if err != nil {
		return nil, fmt.Errorf("read the administrator's certificate: %w", err)
	}
	authority, err := os.ReadFile(c.layout.pki("ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read the cluster's authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots,
	}}}, nil
}

func get(ctx context.Context, client *http.Client, url string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API server answers %s", resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
