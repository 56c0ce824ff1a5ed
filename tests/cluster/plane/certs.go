// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"strconv"
	"time"
)

// The groups that Kubernetes binds to its built-in roles.
const (
	groupMasters = "system:masters"
	groupNodes   = "system:nodes"
)

func (p *Plane) makePKI() error {
	ca, err := newCA(p.opts.Keys, "kubernetes")
	if err != nil {
		return err
	}
	p.ca = ca
	if p.adminPair, err = ca.clientCert(p.opts.Keys, "kubernetes-admin", groupMasters); err != nil {
		return err
	}
	serving, err := ca.newServing(p.opts.Keys, p.opts.Serving, p.opts.ExtraSANs)
	if err != nil {
		return err
	}
	// Nobody but the plane's own parts sees this one, so the quickest kind does.
	from, to := validity()
	internal, err := ca.servingCert(P256, from, to, []string{InternalName})
	if err != nil {
		return err
	}
	if err := p.writePair("ca", ca); err != nil {
		return err
	}
	if err := p.writePair("apiserver", serving); err != nil {
		return err
	}
	if err := p.writePair("internal", internal); err != nil {
		return err
	}
	return p.makeAccountKey()
}

// makeAccountKey makes the key that signs service account tokens: RSA always,
// as kubeadm does whatever its other keys are.
func (p *Plane) makeAccountKey() error {
	key, err := newKey(RSA2048)
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := encodePublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.file("pki", "sa.pub"), public, 0o600); err != nil {
		return err
	}
	return os.WriteFile(p.file("pki", "sa.key"), private, 0o600)
}

func (p *Plane) writePair(name string, pair *keyPair) error {
	if err := os.WriteFile(p.file("pki", name+".crt"), pair.certPEM, 0o600); err != nil {
		return err
	}
	return os.WriteFile(p.file("pki", name+".key"), pair.keyPEM, 0o600)
}

// CAFile is the file with the CA's certificate, CAPEM its content.
func (p *Plane) CAFile() string { return p.file("pki", "ca.crt") }

// CAPEM is the CA's certificate.
func (p *Plane) CAPEM() []byte { return bytes.Clone(p.ca.certPEM) }

// ClientPEM makes a certificate and key for any user, signed by the CA.
func (p *Plane) ClientPEM(user string, groups ...string) (cert, key []byte, err error) {
	pair, err := p.ca.clientCert(p.opts.Keys, user, groups...)
	if err != nil {
		return nil, nil, err
	}
	return pair.certPEM, pair.keyPEM, nil
}

// SetServing replaces the certificate that the API server shows and returns
// when it shows the new one; the server need not be restarted.
func (p *Plane) SetServing(ctx context.Context, want ServingCert) error {
	pair, err := p.ca.newServing(p.opts.Keys, want, p.opts.ExtraSANs)
	if err != nil {
		return err
	}
	if err := p.writePair("apiserver", pair); err != nil {
		return err
	}
	p.steps.Lock()
	running := p.apiServer.running()
	p.steps.Unlock()
	if !running {
		return nil
	}
	return poll(ctx, p.opts.StartTimeout, func(context.Context) error {
		return p.shows(pair.cert.Raw)
	})
}

// shows is nil when the API server presents this certificate.
func (p *Plane) shows(der []byte) error {
	conn, err := tls.DialWithDialer(dialer(time.Second), "tcp", "127.0.0.1:"+strconv.Itoa(p.port),
		&tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	if !bytes.Equal(conn.ConnectionState().PeerCertificates[0].Raw, der) {
		return fmt.Errorf("plane: the API server still shows its old certificate")
	}
	return nil
}
