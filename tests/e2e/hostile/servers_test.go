// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

const cannotUse = "The API server can't be used"

// keepsTrying holds the fault for a while after the first complaint: the agent
// must live, say nothing more, and try again.
func keepsTrying(t *testing.T, a *agent, words ...string) {
	t.Helper()
	a.waitLine(words...)
	time.Sleep(10 * time.Second)
	a.mustRun()
	if n := len(a.lines(words[0])); n != 1 {
		t.Errorf("%d lines for one episode", n)
	}
	if n := a.complaints(); n > 2 {
		t.Errorf("%d complaints in all", n)
	}
}

// comesBack is after the fault went away.
func comesBack(t *testing.T, p *plane.Plane, a *agent) {
	t.Helper()
	waitReady(t, p, a.name)
	a.waitLine("The API server answers again")
	if n := len(a.lines("The API server answers again")); n != 1 {
		t.Errorf("%d lines say that it is over", n)
	}
}

// badServer is a server that can't be talked to, as the agent sees it.
type badServer struct {
	name  string
	serve func(net.Conn)
	want  []string
}

func badServers(t *testing.T, p *plane.Plane) []badServer {
	t.Helper()
	ca := planeCA(t, p)
	day := 24 * time.Hour
	now := time.Now()
	good := ca.serving(t, x509.Certificate{}, "127.0.0.1")
	shows := func(c *pair) func(net.Conn) {
		return overTLS(&tls.Config{Certificates: []tls.Certificate{c.tls()}}, func(*tls.Conn) {})
	}
	speaks := func(config *tls.Config) func(net.Conn) {
		config.Certificates = []tls.Certificate{good.tls()}
		return overTLS(config, func(*tls.Conn) {})
	}
	afterHello := func(then func(net.Conn)) func(net.Conn) {
		return func(c net.Conn) {
			c.SetReadDeadline(time.Now().Add(20 * time.Second))
			if n, _ := c.Read(make([]byte, 4096)); n > 0 {
				then(c)
			}
		}
	}
	says := func(text string) func(net.Conn) {
		return afterHello(func(c net.Conn) {
			io.WriteString(c, text)
			io.Copy(io.Discard, c)
		})
	}
	return []badServer{
		{"expired certificate", shows(ca.serving(t, x509.Certificate{NotBefore: now.Add(-2 * day), NotAfter: now.Add(-day)}, "127.0.0.1")),
			[]string{"server certificate expired on " + now.Add(-day).UTC().Format(time.DateOnly)}},
		{"certificate of tomorrow", shows(ca.serving(t, x509.Certificate{NotBefore: now.Add(day), NotAfter: now.Add(2 * day)}, "127.0.0.1")),
			[]string{"server certificate is not valid before " + now.Add(day).UTC().Format(time.DateOnly), "clock"}},
		{"unknown CA", shows(newCA(t, "stranger").serving(t, x509.Certificate{}, "127.0.0.1")),
			[]string{"unknown authority", "CN=stranger"}},
		{"certificate for another name", shows(ca.serving(t, x509.Certificate{}, "wrong.kubemote.test", "10.1.2.3")),
			[]string{"not for 127.0.0.1", "wrong.kubemote.test", "10.1.2.3"}},
		{"certificate without a name", shows(ca.serving(t, x509.Certificate{})),
			[]string{"not for 127.0.0.1", "no name"}},
		{"plain HTTP", says("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), []string{"TLS handshake", "not TLS"}},
		{"another protocol", says("220 mail.example.com ESMTP ready\r\n"), []string{"TLS handshake", "not TLS"}},
		{"TLS 1.1 only", speaks(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}), []string{"TLS handshake"}},
		{"no common cipher", speaks(&tls.Config{MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}), []string{"TLS handshake"}},
		{"handshake stalls", afterHello(func(c net.Conn) { io.Copy(io.Discard, c) }), []string{"TLS handshake"}},
		{"closed after the hello", afterHello(func(net.Conn) {}), []string{"TLS handshake", "closed"}},
		{"closed at once", func(net.Conn) {}, []string{"TLS handshake"}},
	}
}

func TestBadServer(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	for _, bad := range badServers(t, p) {
		t.Run(bad.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, bad.serve)
			a := start(t, nodeKubeconfig(t, p, f.url()))
			keepsTrying(t, a, append([]string{cannotUse}, bad.want...)...)
			t.Log(a.lines(cannotUse))
			if n := f.count(); n > 40 {
				t.Errorf("%d connections", n)
			}
			f.set(sane(p))
			comesBack(t, p, a)
		})
	}
}

// TestUnreachable is about links that lead nowhere.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	for name, fault := range map[string]struct {
		set  func(*proxy.Proxy, bool)
		want string
	}{
		"refused":        {func(x *proxy.Proxy, on bool) { x.SetRefuse(on) }, "refused"},
		"no answer":      {func(x *proxy.Proxy, on bool) { x.SetSilent(on) }, "127.0.0.1"},
		"swallows bytes": {func(x *proxy.Proxy, on bool) { x.SetBlackHole(on) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, err := proxy.New("127.0.0.1:0", p.Addr())
			check(t, err)
			t.Cleanup(x.Close)
			fault.set(x, true)
			a := start(t, nodeKubeconfig(t, p, "https://"+x.Addr()))
			keepsTrying(t, a, cannotUse, fault.want)
			t.Log(a.lines(cannotUse))
			fault.set(x, false)
			comesBack(t, p, a)
		})
	}
}

// TestNameLeadsNowhere corrects the hosts file after a while.
func TestNameLeadsNowhere(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	dir := agentDir(t)
	hosts, config := filepath.Join(dir, "hosts"), filepath.Join(dir, "config.yaml")
	point := func(ip string) { check(t, os.WriteFile(hosts, []byte(ip+" "+plane.TestName+"\n"), 0o644)) }
	check(t, os.WriteFile(config, []byte(configHead+"hosts: "+hosts+"\n"), 0o644))
	point("240.0.0.1")
	a := start(t, nodeKubeconfig(t, p, p.URLFor(plane.TestName)), "--config", config)
	keepsTrying(t, a, cannotUse, plane.TestName, "240.0.0.1")
	point("127.0.0.1")
	comesBack(t, p, a)
}

// saysEachOnce waits for a while: the agent must live, and complain once about
// the Node, once about each watch, and once about a certificate.
func saysEachOnce(t *testing.T, a *agent) {
	t.Helper()
	time.Sleep(10 * time.Second)
	a.mustRun()
	count := map[string]int{}
	for line := range strings.Lines(a.log()) {
		if _, text, found := strings.Cut(line, "] "); found {
			count[text]++
		}
	}
	for text, n := range count {
		if n > 1 {
			t.Errorf("said %d times: %s", n, text)
		}
	}
	if n := a.complaints(); n > 4 {
		t.Errorf("%d complaints", n)
	}
}

// TestForbidden lacks every right, until somebody grants them.
func TestForbidden(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	path, err := p.UserKubeconfig(plane.KubeconfigOptions{}, "stranger")
	check(t, err)
	a := start(t, path)
	a.waitLine("The Node can't be registered", "is forbidden")
	saysEachOnce(t, a)
	_, err = p.Client().RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "stranger"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "stranger"}},
	}, metav1.CreateOptions{})
	check(t, err)
	waitReady(t, p, a.name)
}

// TestUnauthorized has a wrong token in a file that is put right later.
func TestUnauthorized(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	path, err := p.NodeKubeconfig(nodeName(t), plane.KubeconfigOptions{Token: "wrong", Files: true})
	check(t, err)
	a := start(t, path)
	a.waitLine(`="Unauthorized"`)
	saysEachOnce(t, a)
	check(t, os.WriteFile(path+".token", []byte(p.NodeToken(a.name)+"\n"), 0o600))
	waitReady(t, p, a.name)
}

// TestExpiredClientCertificate is told at once, and not taken for the end: the
// clock of a small machine may be wrong until it has reached the network.
func TestExpiredClientCertificate(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	c := *makeCredentials()(t)
	c.client = planeCA(t, p).client(t, x509.Certificate{
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})
	c.ca = &pair{certPEM: string(p.CAPEM())}
	path := filepath.Join(agentDir(t), "kubeconfig")
	check(t, os.WriteFile(path, []byte(goodKubeconfig(p.URL(), &c)), 0o600))
	a := start(t, path)
	a.waitLine("The client certificate has expired", "notAfter")
	a.waitLine(`="Unauthorized"`)
	saysEachOnce(t, a)
}

// TestPlainHTTP shows a server without TLS a kubeconfig with a token and a
// certificate: neither may be seen, and it must be said.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 100)
	f := newFront(t, func(c net.Conn) {
		c.SetDeadline(time.Now().Add(20 * time.Second))
		buf := make([]byte, 16384)
		n, _ := c.Read(buf)
		seen <- string(buf[:n])
		io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
	})
	text := goodKubeconfig("http://"+f.listener.Addr().String(), makeCredentials()(t))
	text = after(text, "client-key-data:", "token: secret-of-the-box")
	path := filepath.Join(agentDir(t), "kubeconfig")
	check(t, os.WriteFile(path, []byte(text), 0o600))
	a := start(t, path)
	a.waitLine("plain http", "not sent")
	for range 3 {
		select {
		case request := <-seen:
			if strings.Contains(request, "uthorization") || strings.Contains(request, "secret") {
				t.Errorf("it was asked %q", request)
			}
		case <-time.After(soon):
			t.Fatal("nothing was asked")
		}
	}
	a.mustRun()
}

// TestRedirect sends the agent from TLS to a plain server: it must not go.
func TestRedirect(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	lure := newDoors(t)
	cert := planeCA(t, p).serving(t, x509.Certificate{}, "127.0.0.1")
	config := &tls.Config{Certificates: []tls.Certificate{cert.tls()}}
	f := newFront(t, overTLS(config, answer(func(_ *request, c io.Writer) {
		fmt.Fprintf(c, "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://%s/\r\nContent-Length: 0\r\n\r\n", lure.Addr())
	})))
	a := start(t, nodeKubeconfig(t, p, f.url()))
	a.waitLine("code 307")
	time.Sleep(5 * time.Second)
	a.mustRun()
	if n := lure.count.Load(); n > 0 {
		t.Errorf("it followed %d times", n)
	}
	f.set(sane(p))
	waitReady(t, p, a.name)
}
