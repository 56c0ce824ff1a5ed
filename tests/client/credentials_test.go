// SPDX-License-Identifier: Apache-2.0

package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key, der := sign(t, template, template, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func sign(t *testing.T, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue makes a certificate for both sides of 127.0.0.1.
func (a authority) issue(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	private, der := sign(t, template, a.cert, a.key)
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
}

// rotating is a server that changes its own authority, and the client's
// files, between requests.
type rotating struct {
	t                  *testing.T
	folder             string
	clients, old, next authority
	mu                 sync.Mutex
	present            tls.Certificate
	serials            []int64
}

func (r *rotating) write(name string, text []byte) {
	if err := os.WriteFile(filepath.Join(r.folder, name), text, 0o600); err != nil {
		r.t.Error(err)
	}
}

func (r *rotating) useServer(a authority) {
	cert, key := a.issue(r.t, 9)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		r.t.Error(err)
	}
	r.present = pair
	r.write("ca.crt", a.pem())
}

func (r *rotating) useClient(serial int64) {
	cert, key := r.clients.issue(r.t, serial)
	r.write("client.crt", cert)
	r.write("client.key", key)
}

func (r *rotating) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serials = append(r.serials, request.TLS.PeerCertificates[0].SerialNumber.Int64())
	switch len(r.serials) {
	case 2:
		r.useClient(22)
	case 4:
		r.useServer(r.next)
	}
	w.Header().Set("Connection", "close")
	writeJSON(w, 200, pod)
}

// A client that keeps working goes on with the files that are there: its own
// certificate and key, and the authority of the server.
func TestFilesAreReadAgain(t *testing.T) {
	r := &rotating{t: t, folder: t.TempDir(), clients: newAuthority(t, "clients"), old: newAuthority(t, "old"), next: newAuthority(t, "new")}
	r.useServer(r.old)
	r.useClient(21)
	pool := x509.NewCertPool()
	pool.AddCert(r.clients.cert)
	server := httptest.NewUnstartedServer(r)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, NextProtos: []string{"http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return &tls.Config{Certificates: []tls.Certificate{r.present}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}, nil
		}}
	server.StartTLS()
	defer server.Close()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: server.URL, CertificateAuthority: "ca.crt"}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificate: "client.crt", ClientKey: "client.key"}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "c"
	path := filepath.Join(r.folder, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	answers := send(t, path, "get v1/pods --namespace n --name p --repeat 6 --pause 1100")
	for _, a := range answers[:6] {
		if a.Error != "" {
			t.Error(a)
		}
	}
	if want := []int64{21, 21, 22, 22, 22, 22}; !slices.Equal(r.serials, want) || answers[6].Reloads != 2 {
		t.Errorf("certificates %v, expected %v; %+v", r.serials, want, answers[6])
	}
}

// A server whose certificate nobody vouches for: used when a program asks for
// it, with what the user has to show, as client-go does.
func TestServersThatAreNotVerified(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, 200, fmt.Sprintf(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":%q}}`, r.Header.Get("Authorization")))
		}))
		server.TLS = &tls.Config{MaxVersion: version, NextProtos: []string{"http/1.1"}}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		for _, insecure := range []bool{false, true} {
			config := clientcmdapi.NewConfig()
			config.Clusters["c"] = &clientcmdapi.Cluster{Server: server.URL, InsecureSkipTLSVerify: insecure, TLSServerName: "wrong.example"}
			config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: "t0ken"}
			config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
			config.CurrentContext = "c"
			path := filepath.Join(t.TempDir(), "kubeconfig")
			if err := clientcmd.WriteToFile(*config, path); err != nil {
				t.Fatal(err)
			}
			for flags, want := range map[string]bool{"": false, " --insecure true": true, " --allowInsecure true": insecure} {
				out, err := exec.Command(checker, strings.Fields("request get v1/pods --namespace n --name p --send "+path+flags)...).CombinedOutput()
				if (err == nil) != want || strings.Contains(string(out), "Bearer t0ken") != want {
					t.Errorf("TLS %x, file %v, flags %q: %v %s", version, insecure, flags, err, out)
				}
				if insecure && flags == "" && !strings.Contains(string(out), "insecure-skip-tls-verify is not supported") {
					t.Errorf("%s", out)
				}
				if want && !strings.Contains(string(out), `"handshakes":1`) {
					t.Errorf("%s", out)
				}
			}
		}
	}
}
