// SPDX-License-Identifier: Apache-2.0

// Package plane starts a real Kubernetes control plane for tests: etcd, the
// API server, the controller manager and, if asked, the scheduler, as child
// processes on free loopback ports, with a CA of their own.
package plane

import (
	"crypto/tls"
	"fmt"
	"io"
	"time"
)

// KeyType is the kind of keys that the CA, the API server and the clients have.
type KeyType string

// RSA2048 is what kubeadm makes, hence the default.
const (
	RSA2048 KeyType = "rsa2048"
	RSA4096 KeyType = "rsa4096"
	P256    KeyType = "p256"
	P384    KeyType = "p384"
)

// KeyTypes lists them all, for tests that go through each.
var KeyTypes = []KeyType{RSA2048, RSA4096, P256, P384}

// ServingCert says what is wrong with the certificate that the API server
// shows. The plane's own clients are not troubled by it: they ask for
// InternalName and get another, good certificate.
type ServingCert string

const (
	ServingGood        ServingCert = "good"
	ServingWrongName   ServingCert = "wrong-name"    // valid for wrong.kubemote.test only
	ServingExpired     ServingCert = "expired"       // since a day
	ServingNotYetValid ServingCert = "not-yet-valid" // from tomorrow on
	ServingUnknownCA   ServingCert = "unknown-ca"    // signed by another CA
)

// TestName is a DNS name in the serving certificate that no resolver knows.
const TestName = "api.kubemote.test"

// InternalName is the server name under which a good certificate is always
// shown, whatever Options.Serving says.
const InternalName = "internal.kubemote.test"

// Options is the shape of a plane. The zero value is a plane as kubeadm would
// make it, without a scheduler.
type Options struct {
	// Binary is the kubemote-cluster program. Empty: from the environment
	// variable KUBEMOTE_CLUSTER_BIN, else build/cluster/kubemote-cluster in the
	// working directory or in one above it.
	Binary string

	// Dir keeps all files. Empty: a temporary folder that Stop removes. What an
	// earlier plane left in it is removed first.
	Dir string

	Keys KeyType // empty: RSA2048

	// TLSMin and TLSMax are versions of package crypto/tls, TLS 1.2 or 1.3;
	// zero: 1.2 and 1.3.
	TLSMin, TLSMax uint16

	Serving   ServingCert // empty: ServingGood
	ExtraSANs []string    // names and addresses to add to the serving certificate

	// Port is the API server's on 127.0.0.1 and ::1; 0: a free one.
	Port int

	// NodeMonitorGrace is how long a node may be silent before it is Unknown.
	// It must be longer than the 10 s between two lease renewals and their
	// jitter. Zero: 16 s, so that a dead node is Unknown within 20 s.
	NodeMonitorGrace time.Duration

	// Without a controller manager a plane is up a second sooner, but nobody
	// judges nodes, makes the service accounts that pods need, or collects
	// garbage.
	NoControllerManager bool
	Scheduler           bool

	// TokenNodes are the node names for which NodeToken works: the API server
	// reads its table of tokens at its start only.
	TokenNodes []string

	// Further flags for the components.
	EtcdArgs, APIServerArgs, ControllerManagerArgs []string

	// StartTimeout limits each wait for a component. Zero: 2 minutes, since two
	// busy cores may be shared with a compiler.
	StartTimeout time.Duration

	// Progress gets one line for each step. Nil: nothing.
	Progress io.Writer
}

func (o *Options) setDefaults() error {
	if o.Keys == "" {
		o.Keys = RSA2048
	}
	if o.Serving == "" {
		o.Serving = ServingGood
	}
	if o.TLSMin == 0 {
		o.TLSMin = tls.VersionTLS12
	}
	if o.TLSMax == 0 {
		o.TLSMax = tls.VersionTLS13
	}
	if o.NodeMonitorGrace == 0 {
		o.NodeMonitorGrace = 16 * time.Second
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 2 * time.Minute
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o.check()
}

func (o *Options) check() error {
	for _, v := range []uint16{o.TLSMin, o.TLSMax} {
		if v != tls.VersionTLS12 && v != tls.VersionTLS13 {
			return fmt.Errorf("plane: TLS version %#x: want 1.2 or 1.3", v)
		}
	}
	if o.TLSMin > o.TLSMax {
		return fmt.Errorf("plane: TLSMin is above TLSMax")
	}
	return nil
}
