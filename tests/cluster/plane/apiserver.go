// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"kubemote.io/tests/cluster/proxy"
)

// Port is the API server's port on 127.0.0.1 and, where there is IPv6, ::1.
func (p *Plane) Port() int { return p.port }

// URLFor is the API server's address under a host name or IP address.
func (p *Plane) URLFor(host string) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(p.port))
}

// URL is the API server's address on 127.0.0.1.
func (p *Plane) URL() string { return p.URLFor("127.0.0.1") }

// Addr is the API server's "host:port", as a proxy's target.
func (p *Plane) Addr() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

func (p *Plane) apiServerFlags() []string {
	pki := func(name string) string { return p.file("pki", name) }
	flags := []string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", p.port),
		"--etcd-servers=" + p.EtcdURL(),
		"--client-ca-file=" + pki("ca.crt"),
		"--tls-cert-file=" + pki("apiserver.crt"),
		"--tls-private-key-file=" + pki("apiserver.key"),
		"--tls-sni-cert-key=" + pki("internal.crt") + "," + pki("internal.key") + ":" + InternalName,
		"--tls-min-version=" + tlsFlag(p.opts.TLSMin),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--enable-bootstrap-token-auth=true",
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pki("sa.pub"),
		"--service-account-signing-key-file=" + pki("sa.key"),
		"--service-cluster-ip-range=10.96.0.0/16",
		// Endpoints refuse loopback addresses, and there are no other ones.
		"--endpoint-reconciler-type=none",
		// Without it an orderly end waits a minute for clients to drop their
		// watches; with it the watches are closed in good order at once.
		"--shutdown-watch-termination-grace-period=3s",
		"--profiling=false",
	}
	if len(p.opts.TokenNodes) > 0 {
		flags = append(flags, "--token-auth-file="+p.tokenFile())
	}
	return append(flags, p.opts.APIServerArgs...)
}

func tlsFlag(version uint16) string {
	if version == tls.VersionTLS13 {
		return "VersionTLS13"
	}
	return "VersionTLS12"
}

// apiServerEnv carries what the API server has no flag for.
func (p *Plane) apiServerEnv() []string {
	if p.opts.TLSMax == tls.VersionTLS12 {
		return []string{"KUBEMOTE_TLS_MAX=1.2"}
	}
	return nil
}

func (p *Plane) startAPIServer(ctx context.Context) error {
	if p.apiServer.running() {
		return nil
	}
	p.progress("starting the API server on port %d", p.port)
	if err := p.writeTokens(); err != nil {
		return err
	}
	c, err := p.spawn("apiserver", p.apiServerEnv(), p.apiServerFlags()...)
	if err != nil {
		return err
	}
	p.apiServer = c
	if err := p.listenIPv6(); err != nil {
		return err
	}
	if err := p.waitFor(ctx, c, p.serverReady); err != nil {
		return err
	}
	return p.waitFor(ctx, c, p.namespacesReady)
}

// listenIPv6 forwards ::1 to the server. Binding the server itself to all
// addresses would show it to the network.
func (p *Plane) listenIPv6() error {
	if !HasIPv6() {
		return nil
	}
	if p.v6 != nil {
		return p.v6.SetRefuse(false)
	}
	v6, err := proxy.New(fmt.Sprintf("[::1]:%d", p.port), p.Addr())
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		v6.Close()
		return errStopped
	}
	p.v6 = v6
	return nil
}

func (p *Plane) makeClient() error {
	p.admin = &rest.Config{
		Host: p.URL(),
		TLSClientConfig: rest.TLSClientConfig{
			ServerName: InternalName,
			CAData:     p.ca.certPEM,
			CertData:   p.adminPair.certPEM,
			KeyData:    p.adminPair.keyPEM,
		},
		// Tests are not to wait for a limit made for well-behaved programs.
		QPS: -1,
	}
	client, err := kubernetes.NewForConfig(p.admin)
	p.client = client
	return err
}

// AdminConfig is for client-go, with all rights. It asks for InternalName and
// thus works with a bad serving certificate, too.
func (p *Plane) AdminConfig() *rest.Config { return rest.CopyConfig(p.admin) }

// Client is client-go's client set, with all rights.
func (p *Plane) Client() kubernetes.Interface { return p.client }

func (p *Plane) serverReady(ctx context.Context) error {
	return p.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// namespacesReady waits for what nodes need; the server makes these namespaces
// a moment after it says that it is ready.
func (p *Plane) namespacesReady(ctx context.Context) error {
	for _, name := range []string{"kube-system", "kube-node-lease", "default"} {
		if _, err := p.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// StartAPIServer starts the API server after StopAPIServer, on the same port,
// and returns when it is ready.
func (p *Plane) StartAPIServer(ctx context.Context) error {
	p.steps.Lock()
	defer p.steps.Unlock()
	return p.startAPIServer(ctx)
}

// StopAPIServer ends the API server in good order: answers are finished and
// watches closed cleanly.
func (p *Plane) StopAPIServer() {
	p.steps.Lock()
	defer p.steps.Unlock()
	p.stopAPIServer(20 * time.Second)
}

// KillAPIServer ends it as a crash does.
func (p *Plane) KillAPIServer() {
	p.steps.Lock()
	defer p.steps.Unlock()
	p.stopAPIServer(0)
}

func (p *Plane) stopAPIServer(grace time.Duration) {
	if p.v6 != nil {
		p.v6.SetRefuse(true)
	}
	p.apiServer.stop(grace)
}

// SetTLS changes the versions that the API server speaks, from its next start
// on.
func (p *Plane) SetTLS(min, max uint16) error {
	p.steps.Lock()
	defer p.steps.Unlock()
	changed := p.opts
	changed.TLSMin, changed.TLSMax = min, max
	if err := changed.check(); err != nil {
		return err
	}
	p.opts.TLSMin, p.opts.TLSMax = min, max
	return nil
}

// RestartAPIServer stops it in good order and starts it again.
func (p *Plane) RestartAPIServer(ctx context.Context) error {
	p.StopAPIServer()
	return p.StartAPIServer(ctx)
}

// PauseAPIServer freezes the process: connections stay, and are accepted by
// the kernel, but nobody answers. ResumeAPIServer wakes it.
func (p *Plane) PauseAPIServer() {
	p.steps.Lock()
	defer p.steps.Unlock()
	p.apiServer.freeze()
}

// ResumeAPIServer ends PauseAPIServer.
func (p *Plane) ResumeAPIServer() {
	p.steps.Lock()
	defer p.steps.Unlock()
	p.apiServer.thaw()
}

func (p *Plane) tokenFile() string { return p.file("pki", "tokens.csv") }

// writeTokens fills the server's static table of tokens.
func (p *Plane) writeTokens() error {
	var table string
	for _, name := range p.opts.TokenNodes {
		table += fmt.Sprintf("%s,system:node:%s,%s,%s\n", p.NodeToken(name), name, name, groupNodes)
	}
	if table == "" {
		return nil
	}
	return os.WriteFile(p.tokenFile(), []byte(table), 0o600)
}
