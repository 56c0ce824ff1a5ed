// SPDX-License-Identifier: Apache-2.0

// The other side of the TLS tests: one listener per case, with certificates made on the spot.
//
//	server DIR
//
// Writes DIR/<pki>-ca.pem, -client.pem, -client-key.pem, DIR/bundle.pem (the system's roots and then our own) and, last,
// DIR/ports with lines "name port". Ends when its standard input does.
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// What a listener does once the handshake is done (or instead of it).
const (
	serve     = iota // answer each 4-byte request with 3,000 bytes
	truncate         // answer once, then cut TCP without close_notify
	notify           // answer once, then close properly
	early            // answer the first bytes of a long request, then close with the rest unread
	plainText        // no TLS at all
	hangUp           // close at once
)

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	der  []byte
}

var serial int64

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func newKey(kind string) crypto.Signer {
	switch kind {
	case "rsa1024":
		return must(rsa.GenerateKey(rand.Reader, 1024))
	case "rsa":
		return must(rsa.GenerateKey(rand.Reader, 2048))
	case "rsa4096":
		return must(rsa.GenerateKey(rand.Reader, 4096))
	case "p384":
		return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	case "p521":
		return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	default:
		return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
}

func template(name string) *x509.Certificate {
	serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"kubemote tests"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
}

func newAuthority(name, kind string, parent *authority) *authority {
	key := newKey(kind)
	t := template(name)
	t.IsCA = true
	t.BasicConstraintsValid = true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	signer, signKey := t, key
	if parent != nil {
		signer, signKey = parent.cert, parent.key
	}
	der := must(x509.CreateCertificate(rand.Reader, t, signer, key.Public(), signKey))
	return &authority{must(x509.ParseCertificate(der)), key, der}
}

// As kubeadm fills the server's certificate: ten names and addresses.
func kubeNames(t *x509.Certificate) {
	t.DNSNames = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "control-plane-1", "localhost"}
	t.IPAddresses = []net.IP{net.ParseIP("10.96.0.1"), net.ParseIP("192.168.178.20"), net.ParseIP("127.0.0.1"),
		net.ParseIP("::1")}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

func (ca *authority) issue(kind string, t *x509.Certificate) tls.Certificate {
	key := newKey(kind)
	der := must(x509.CreateCertificate(rand.Reader, t, ca.cert, key.Public(), ca.key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (ca *authority) server(kind string, change func(*x509.Certificate)) tls.Certificate {
	t := template("kube-apiserver")
	kubeNames(t)
	if change != nil {
		change(t)
	}
	return ca.issue(kind, t)
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func write(dir, name string, data []byte) {
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		log.Fatal(err)
	}
}

func writeClient(dir, name string, cert tls.Certificate) {
	var chain []byte
	for _, der := range cert.Certificate {
		chain = append(chain, block("CERTIFICATE", der)...)
	}
	write(dir, name+"-client.pem", chain)
	der := must(x509.MarshalPKCS8PrivateKey(cert.PrivateKey))
	kind := "PRIVATE KEY"
	if key, ok := cert.PrivateKey.(*rsa.PrivateKey); ok { // as kubeadm writes it
		der, kind = x509.MarshalPKCS1PrivateKey(key), "RSA PRIVATE KEY"
	} else if key, ok := cert.PrivateKey.(*ecdsa.PrivateKey); ok {
		der, kind = must(x509.MarshalECPrivateKey(key)), "EC PRIVATE KEY"
	}
	write(dir, name+"-client-key.pem", block(kind, der))
}

// A connection that writes in small pieces, so that the client's handshake stops at many places.
type pieces struct{ net.Conn }

func (p pieces) Write(data []byte) (int, error) {
	total := 0
	for len(data) > 0 {
		n, err := p.Conn.Write(data[:min(len(data), 700)])
		total += n
		if err != nil {
			return total, err
		}
		data = data[n:]
		runtime.Gosched()
	}
	return total, nil
}

func handle(raw net.Conn, config *tls.Config, do int) {
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(2 * time.Minute))
	switch do {
	case plainText:
		io.WriteString(raw, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, raw)
		return
	case hangUp:
		return
	}
	conn := tls.Server(pieces{raw}, config)
	if err := conn.Handshake(); err != nil {
		if os.Getenv("VERBOSE") != "" {
			log.Print(raw.LocalAddr(), err)
		}
		return
	}
	answer := bytes.Repeat([]byte("kubemote"), 375)
	var request [4]byte
	for {
		if _, err := io.ReadFull(conn, request[:]); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
		switch do {
		case truncate:
			return
		case early:
			time.Sleep(20 * time.Millisecond) // lets unread bytes pile up
			return
		case notify:
			conn.Close()
			return
		}
	}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: server DIR")
	}
	dir := os.Args[1]
	var ports bytes.Buffer

	listen := func(name string, config *tls.Config, do int) {
		listener := must(net.Listen("tcp", "127.0.0.1:0"))
		fmt.Fprintf(&ports, "%s %d\n", name, listener.Addr().(*net.TCPAddr).Port)
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go handle(conn, config, do)
			}
		}()
	}
	versions := map[string]uint16{"12": tls.VersionTLS12, "13": tls.VersionTLS13}
	config := func(version uint16, cert tls.Certificate, clients *authority) *tls.Config {
		c := &tls.Config{MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{cert}}
		if clients != nil {
			c.ClientAuth = tls.RequireAndVerifyClientCert
			c.ClientCAs = x509.NewCertPool()
			c.ClientCAs.AddCert(clients.cert)
		}
		return c
	}

	authorities := map[string]*authority{}
	for _, kind := range []string{"rsa", "ec", "rsa4096", "p384", "p521"} {
		ca := newAuthority("kubernetes-"+kind, kind, nil)
		authorities[kind] = ca
		write(dir, kind+"-ca.pem", block("CERTIFICATE", ca.der))
		client := template("system:node:soak")
		client.Subject.Organization = []string{"system:nodes"}
		client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		writeClient(dir, kind, ca.issue(kind, client))
		for suffix, version := range versions {
			listen(kind+suffix, config(version, ca.server(kind, nil), ca), serve)
		}
	}
	rsaCA, ecCA := authorities["rsa"], authorities["ec"]

	// The chain of three RSA-4096 certificates, whose ticket is larger than a ClientHello may be.
	middle := newAuthority("middle", "rsa4096", authorities["rsa4096"])
	low := newAuthority("low", "rsa4096", middle)
	client := template("system:node:long")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	long := low.issue("rsa4096", client)
	long.Certificate = append(long.Certificate, low.der, middle.der)
	writeClient(dir, "long", long)

	for suffix, version := range versions {
		one := func(name string, cert tls.Certificate) {
			listen(name+suffix, config(version, cert, nil), serve)
		}
		one("expired", ecCA.server("ec", func(t *x509.Certificate) {
			t.NotBefore, t.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
		}))
		one("future", ecCA.server("ec", func(t *x509.Certificate) { t.NotBefore = time.Now().Add(12 * time.Hour) }))
		one("wrongname", ecCA.server("ec", func(t *x509.Certificate) {
			t.DNSNames = []string{"other.example.com", "*.wild.example.com"}
			t.IPAddresses = []net.IP{net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::7")}
		}))
		one("cnonly", ecCA.server("ec", func(t *x509.Certificate) {
			t.Subject.CommonName = "localhost"
			t.DNSNames, t.IPAddresses = nil, nil
		}))
		one("stranger", newAuthority("stranger-ca", "ec", nil).server("ec", nil))
		one("impostor", newAuthority("kubernetes-ec", "ec", nil).server("ec", nil))
		one("clientonly", ecCA.server("ec", func(t *x509.Certificate) {
			t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}))
		one("ed25519", ecCA.server("ed25519", nil))
		one("names100", rsaCA.server("rsa", func(t *x509.Certificate) {
			for i := 0; i < 90; i++ {
				t.DNSNames = append(t.DNSNames, fmt.Sprintf("node-%d.cluster.example.com", i))
			}
		}))
		one("names1000", ecCA.server("ec", func(t *x509.Certificate) {
			for i := 0; i < 600; i++ {
				t.DNSNames = append(t.DNSNames, fmt.Sprintf("n%d.example", i))
			}
		}))
		chain := middle.server("ec", nil)
		chain.Certificate = append(chain.Certificate, middle.der)
		one("chain", chain)
		// Refuses every client but those of an authority of its own.
		listen("refuse"+suffix, config(version, ecCA.server("ec", nil), newAuthority("other-ca", "ec", nil)), serve)
		listen("truncate"+suffix, config(version, ecCA.server("ec", nil), nil), truncate)
		listen("notify"+suffix, config(version, ecCA.server("ec", nil), nil), notify)
		listen("early"+suffix, config(version, ecCA.server("ec", nil), nil), early)
		listen("chacha"+suffix, func() *tls.Config {
			c := config(version, ecCA.server("ec", nil), nil)
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}
			return c
		}(), serve)
		for name, curve := range map[string]tls.CurveID{"curve384-": tls.CurveP384, "curve521-": tls.CurveP521} {
			c := config(version, ecCA.server("ec", nil), nil)
			c.CurvePreferences = []tls.CurveID{curve}
			listen(name+suffix, c, serve)
		}
	}
	mlkem := config(tls.VersionTLS13, ecCA.server("ec", nil), nil)
	mlkem.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768}
	listen("mlkem13", mlkem, serve)
	listen("old11", config(tls.VersionTLS11, rsaCA.server("rsa", nil), nil), serve)
	listen("plain", nil, plainText)
	listen("hangup", nil, hangUp)

	bundle, _ := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	for _, kind := range []string{"rsa", "ec"} {
		bundle = append(bundle, block("CERTIFICATE", authorities[kind].der)...)
	}
	write(dir, "bundle.pem", bundle)
	write(dir, "ports.tmp", ports.Bytes())
	if err := os.Rename(filepath.Join(dir, "ports.tmp"), filepath.Join(dir, "ports")); err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, os.Stdin)
}
