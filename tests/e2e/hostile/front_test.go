// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
)

// front stands where the agent thinks the API server is, and treats each
// connection as it is told to at the moment.
type front struct {
	t        *testing.T
	listener net.Listener
	mu       sync.Mutex
	serve    func(net.Conn)
	conns    map[net.Conn]struct{}
	accepted int
}

func newFront(t *testing.T, serve func(net.Conn)) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	f := &front{t: t, listener: l, serve: serve, conns: map[net.Conn]struct{}{}}
	t.Cleanup(func() {
		l.Close()
		f.set(func(net.Conn) {})
	})
	go f.run()
	return f
}

func (f *front) run() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		serve := f.serve
		f.conns[c] = struct{}{}
		f.accepted++
		f.mu.Unlock()
		go func() {
			serve(c)
			c.Close()
			f.mu.Lock()
			delete(f.conns, c)
			f.mu.Unlock()
		}()
	}
}

// set changes what happens from now on, and cuts what is open.
func (f *front) set(serve func(net.Conn)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serve = serve
	for c := range f.conns {
		c.Close()
	}
}

func (f *front) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.accepted
}

func (f *front) url() string { return "https://" + f.listener.Addr().String() }

// sane passes everything on to the plane.
func sane(p *plane.Plane) func(net.Conn) {
	return func(c net.Conn) {
		s, err := net.DialTimeout("tcp", p.Addr(), 10*time.Second)
		if err != nil {
			return
		}
		defer s.Close()
		go func() {
			io.Copy(s, c)
			s.Close()
		}()
		io.Copy(c, s)
	}
}

// planeCA is the plane's CA with its key, to make servers that look like it.
func planeCA(t *testing.T, p *plane.Plane) *pair {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Dir(), "pki", "ca.key"))
	check(t, err)
	keyBlock, _ := pem.Decode(text)
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	check(t, err)
	certBlock, _ := pem.Decode(p.CAPEM())
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	check(t, err)
	return &pair{cert: cert, key: key}
}

func (p *pair) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}
}

// overTLS ends TLS and hands over what is inside.
func overTLS(config *tls.Config, serve func(*tls.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		t := tls.Server(c, config)
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if t.Handshake() != nil {
			return
		}
		c.SetDeadline(time.Time{})
		serve(t)
	}
}
