// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// keyPair is a certificate with its key, both also as PEM.
type keyPair struct {
	key     crypto.Signer
	cert    *x509.Certificate
	certPEM []byte
	keyPEM  []byte
}

func newKey(kind KeyType) (crypto.Signer, error) {
	switch kind {
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, fmt.Errorf("plane: unknown key type %q", kind)
}

// encodeKey uses the old forms that kubeadm writes, not PKCS #8.
func encodeKey(key crypto.Signer) ([]byte, error) {
	if k, ok := key.(*rsa.PrivateKey); ok {
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}), nil
	}
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func encodePublicKey(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// issue makes a key and a certificate from the template, signed by parent or,
// without one, by itself.
func issue(kind KeyType, template *x509.Certificate, parent *keyPair) (*keyPair, error) {
	key, err := newKey(kind)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	signer, parentCert := key, template
	if parent != nil {
		signer, parentCert = parent.key, parent.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parentCert, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &keyPair{key: key, cert: cert, certPEM: certPEM, keyPEM: keyPEM}, nil
}

// validity begins an hour ago, for clocks that are a little late.
func validity() (from, to time.Time) {
	now := time.Now()
	return now.Add(-time.Hour), now.AddDate(1, 0, 0)
}

func newCA(kind KeyType, name string) (*keyPair, error) {
	from, to := validity()
	return issue(kind, &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             from,
		NotAfter:              to,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		DNSNames:              []string{name},
	}, nil)
}

// clientCert is for a user; Kubernetes reads the name from CN and the groups
// from O.
func (ca *keyPair) clientCert(kind KeyType, user string, groups ...string) (*keyPair, error) {
	from, to := validity()
	return issue(kind, &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		NotBefore:   from,
		NotAfter:    to,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca)
}

func (ca *keyPair) servingCert(kind KeyType, from, to time.Time, names []string) (*keyPair, error) {
	t := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		NotBefore:   from,
		NotAfter:    to,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
			continue
		}
		t.DNSNames = append(t.DNSNames, name)
	}
	return issue(kind, t, ca)
}

// servingNames are those kubeadm puts in, and ours.
func servingNames(extra []string) []string {
	names := []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", TestName,
		"127.0.0.1", "::1", "10.96.0.1",
	}
	return append(names, extra...)
}

// newServing makes the certificate that the API server shows, good or bad.
func (ca *keyPair) newServing(kind KeyType, want ServingCert, extra []string) (*keyPair, error) {
	from, to := validity()
	names := servingNames(extra)
	day := 24 * time.Hour
	switch want {
	case ServingGood:
	case ServingWrongName:
		names = []string{"wrong.kubemote.test"}
	case ServingExpired:
		from, to = from.Add(-2*day), from.Add(-day)
	case ServingNotYetValid:
		from = from.Add(day + time.Hour)
	case ServingUnknownCA:
		other, err := newCA(kind, "unknown")
		if err != nil {
			return nil, err
		}
		ca = other
	default:
		return nil, fmt.Errorf("plane: unknown kind of serving certificate %q", want)
	}
	return ca.servingCert(kind, from, to, names)
}
