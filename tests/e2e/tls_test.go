// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

// Every kind of keys under both versions of TLS, and a server that goes from
// 1.3 to 1.2 and back under a running agent, whose kept session is then of the
// wrong version.
func TestKeysAndVersions(t *testing.T) {
	t.Parallel()
	for _, keys := range plane.KeyTypes {
		t.Run(string(keys), func(t *testing.T) {
			t.Parallel()
			p := ownPlane(t, plane.Options{Keys: keys, TLSMin: tls.VersionTLS13, TLSMax: tls.VersionTLS13, NoControllerManager: true})
			stays := join(t, p, nodeName(t)+"-stays", tls.VersionTLS13)
			join(t, p, nodeName(t)+"-13", tls.VersionTLS13).leaves()

			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				p.StopAPIServer()
				check(t, p.SetTLS(version, version))
				check(t, p.StartAPIServer(t.Context()))
				stays.reconnects(version)
			}
			p.StopAPIServer()
			check(t, p.SetTLS(tls.VersionTLS12, tls.VersionTLS12))
			check(t, p.StartAPIServer(t.Context()))
			join(t, p, nodeName(t)+"-12", tls.VersionTLS12).leaves()
			stays.leaves()
		})
	}
}

// member is an agent behind a door.
type member struct {
	*agent
	p    *plane.Plane
	door *proxy.Proxy
}

// join starts an agent and finds it Ready, over a version of TLS alone.
func join(t *testing.T, p *plane.Plane, name string, version uint16) *member {
	t.Helper()
	m := &member{p: p, door: newDoor(t, p, "127.0.0.1:0")}
	m.agent = start(t, p, options{name: name, kubeconfig: doorKubeconfig(t, p, name, m.door)})
	waitReady(t, p, name)
	waitLease(t, p, name)
	speaks(t, p, version)
	return m
}

func speaks(t *testing.T, p *plane.Plane, version uint16) {
	t.Helper()
	conn, err := tls.Dial("tcp", p.Addr(), &tls.Config{InsecureSkipVerify: true})
	check(t, err)
	defer conn.Close()
	if got := conn.ConnectionState().Version; got != version {
		t.Fatalf("the server speaks %s", tls.VersionName(got))
	}
}

// reconnects finds that the agent comes back by itself, and resumes sessions
// when its links break once more.
func (m *member) reconnects(version uint16) {
	m.t.Helper()
	speaks(m.t, m.p, version)
	waitRenewal(m.t, m.p, m.name, time.Now(), 2*soon)
	m.door.CutAll(proxy.FIN)
	waitRenewal(m.t, m.p, m.name, time.Now(), 2*soon)
	if err := isReady(m.t, m.p, m.name); err != nil {
		m.t.Error(err)
	}
}

// leaves ends the agent and reads from its metrics how its handshakes went:
// of the three links of a start at least two resume the first one's session.
func (m *member) leaves() {
	m.t.Helper()
	before := m.door.Stats().Accepted
	m.door.CutAll(proxy.FIN)
	eventually(m.t, 2*soon, "three links again", func() error {
		if now := m.door.Stats(); now.Accepted < before+3 || now.Open < 3 {
			return fmt.Errorf("%+v", now)
		}
		return nil
	})
	waitRenewal(m.t, m.p, m.name, time.Now(), 2*soon)
	m.stop()
	full, resumed := m.metric("kubemote_tls_handshakes_full"), m.metric("kubemote_tls_handshakes_resumed")
	m.t.Logf("%s: %v full and %v resumed handshakes, arena %v bytes at most", m.name, full, resumed,
		m.metric("kubemote_tls_arena_max_bytes"))
	if resumed < 4 || full < 1 {
		m.t.Errorf("%s: %v full and %v resumed handshakes", m.name, full, resumed)
	}
	if refused := m.metric("kubemote_tls_arena_refused"); refused > 0 {
		m.t.Errorf("%s: the arena refused %v times", m.name, refused)
	}
}
