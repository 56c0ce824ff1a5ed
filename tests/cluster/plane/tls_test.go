// SPDX-License-Identifier: Apache-2.0

package plane_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"kubemote.io/tests/cluster/plane"
)

// TestKeysAndVersions starts a plane for each kind of keys and each version,
// and finds that it speaks that version only.
func TestKeysAndVersions(t *testing.T) {
	t.Parallel()
	for _, keys := range plane.KeyTypes {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprintf("%s/%s", keys, tls.VersionName(version)), func(t *testing.T) {
				t.Parallel()
				p := plane.StartT(t, plane.Options{
					Keys: keys, TLSMin: version, TLSMax: version, NoControllerManager: true,
				})
				speaksOnly(t, p, keys, version)
			})
		}
	}
}

func speaksOnly(t *testing.T, p *plane.Plane, keys plane.KeyType, version uint16) {
	t.Helper()
	node, err := p.NodeKubeconfig("box", plane.KubeconfigOptions{})
	check(t, err)
	if got := whoAmI(t, node); got != "system:node:box" {
		t.Fatalf("the server sees %q", got)
	}
	state := handshake(t, p, &tls.Config{})
	if state.Version != version {
		t.Fatalf("speaks %s", tls.VersionName(state.Version))
	}
	if got := keyName(state.PeerCertificates[0]); got != keys {
		t.Fatalf("the serving key is %s", got)
	}
	other := uint16(tls.VersionTLS12 + tls.VersionTLS13 - int(version))
	if _, err := tls.Dial("tcp", p.Addr(), verifying(p, &tls.Config{MinVersion: other, MaxVersion: other})); err == nil {
		t.Fatalf("speaks %s too", tls.VersionName(other))
	}
}

func verifying(p *plane.Plane, config *tls.Config) *tls.Config {
	config.RootCAs = x509.NewCertPool()
	config.RootCAs.AppendCertsFromPEM(p.CAPEM())
	return config
}

func handshake(t *testing.T, p *plane.Plane, config *tls.Config) tls.ConnectionState {
	t.Helper()
	conn, err := tls.Dial("tcp", p.Addr(), verifying(p, config))
	check(t, err)
	defer conn.Close()
	return conn.ConnectionState()
}

func keyName(cert *x509.Certificate) plane.KeyType {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return plane.KeyType(fmt.Sprintf("rsa%d", key.N.BitLen()))
	case *ecdsa.PublicKey:
		return plane.KeyType(fmt.Sprintf("p%d", key.Curve.Params().BitSize))
	}
	return ""
}

func TestServingCertificates(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{
		Keys: plane.P256, Serving: plane.ServingExpired, ExtraSANs: []string{"extra.kubemote.test", "192.0.2.7"},
		NoControllerManager: true,
	})
	for _, kind := range []plane.ServingCert{
		plane.ServingExpired, plane.ServingWrongName, plane.ServingUnknownCA, plane.ServingNotYetValid, plane.ServingGood,
	} {
		check(t, p.SetServing(t.Context(), kind))
		_, err := tls.Dial("tcp", p.Addr(), verifying(p, &tls.Config{}))
		if !matches(kind, err) {
			t.Errorf("%s: %v", kind, err)
		}
		// The plane's own client is never troubled.
		addConfigMap(t, p, string(kind))
	}
	for _, name := range []string{"localhost", "::1", plane.TestName, "kubernetes.default", "extra.kubemote.test", "192.0.2.7"} {
		handshake(t, p, &tls.Config{ServerName: name})
	}
}

func matches(kind plane.ServingCert, err error) bool {
	var (
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
	)
	switch kind {
	case plane.ServingExpired, plane.ServingNotYetValid:
		return errors.As(err, &invalid) && invalid.Reason == x509.Expired
	case plane.ServingWrongName:
		return errors.As(err, &name)
	case plane.ServingUnknownCA:
		return errors.As(err, &unknown)
	}
	return err == nil
}
