// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// pair is a certificate with its key, both as PEM too.
type pair struct {
	cert            *x509.Certificate
	key             *ecdsa.PrivateKey
	certPEM, keyPEM string
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue signs a certificate for a new key; without a parent it signs itself.
func issue(t *testing.T, template *x509.Certificate, parent *x509.Certificate, signer crypto.Signer) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	}
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	check(t, err)
	return &pair{cert, key, block("CERTIFICATE", der), block("EC PRIVATE KEY", keyDER)}
}

func newCA(t *testing.T, name string) *pair {
	t.Helper()
	return issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil, nil)
}

// client is a client certificate of the CA.
func (ca *pair) client(t *testing.T, template x509.Certificate) *pair {
	t.Helper()
	template.Subject = pkix.Name{CommonName: "system:node:bad-input", Organization: []string{"system:nodes"}}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return issue(t, &template, ca.cert, ca.key)
}

// serving is a server certificate of the CA for names and addresses.
func (ca *pair) serving(t *testing.T, template x509.Certificate, names ...string) *pair {
	t.Helper()
	template.Subject = pkix.Name{CommonName: "kube-apiserver"}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	return issue(t, &template, ca.cert, ca.key)
}

// credentials are made once for all bad inputs.
type credentials struct {
	ca, client, other, expired *pair
}

var makeCredentials = sync.OnceValue(func() func(t *testing.T) *credentials {
	var once sync.Once
	var c credentials
	return func(t *testing.T) *credentials {
		once.Do(func() {
			c.ca = newCA(t, "kubernetes")
			c.client = c.ca.client(t, x509.Certificate{})
			c.other = c.ca.client(t, x509.Certificate{})
			c.expired = c.ca.client(t, x509.Certificate{
				NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour),
			})
		})
		return &c
	}
})

func data(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text))
}

// goodKubeconfig has the server in line 6, the CA in 7, the certificate in 11,
// the key in 12, the context's cluster in 16 and its user in 17.
func goodKubeconfig(server string, c *credentials) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: plane
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: box
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: main
  context:
    cluster: plane
    user: box
current-context: main
`, server, data(c.ca.certPEM), data(c.client.certPEM), data(c.client.keyPEM))
}

// edit replaces the value behind the first `key: ` that is found; "" as the
// new value takes the line out.
func edit(text, key, value string) string {
	var out strings.Builder
	done := false
	for line := range strings.Lines(text) {
		at := strings.Index(line, key+": ")
		if done || at < 0 || strings.Trim(line[:at], "- ") != "" {
			out.WriteString(line)
			continue
		}
		done = true
		if value != "" {
			out.WriteString(line[:at] + key + ": " + value + "\n")
		}
	}
	if !done {
		panic("no " + key + " in the kubeconfig")
	}
	return out.String()
}

// after adds lines behind the first line that begins with the words, indented
// like it.
func after(text, words string, lines ...string) string {
	var out strings.Builder
	done := false
	for line := range strings.Lines(text) {
		out.WriteString(line)
		bare := strings.TrimLeft(line, " ")
		if done || !strings.HasPrefix(bare, words) {
			continue
		}
		done = true
		for _, more := range lines {
			out.WriteString(line[:len(line)-len(bare)] + more + "\n")
		}
	}
	if !done {
		panic("no " + words + " in the kubeconfig")
	}
	return out.String()
}
