// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

// hostsFile answers for names without a name server.
func hostsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	replaceFile(t, path, text)
	return path
}

// A server may be named by an address of either family or by a name.
func TestServerNames(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	_, port, err := net.SplitHostPort(p.Addr())
	check(t, err)
	for name, host := range map[string]string{
		"ipv4": "127.0.0.1", "ipv6": "[::1]", "ipv6-long": "[0:0:0:0:0:0:0:1]", "localhost": "localhost",
		"name": plane.TestName, "dot": plane.TestName + ".", "capitals": strings.ToUpper(plane.TestName),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(host, "[") && !plane.HasIPv6() {
				t.Skip("skipped: no IPv6 on loopback here")
			}
			node := nodeName(t)
			hosts := hostsFile(t, "127.0.0.1 localhost\n127.0.0.1 other "+plane.TestName+"\n")
			a := start(t, p, options{
				kubeconfig: nodeKubeconfig(t, p, node, plane.KubeconfigOptions{Server: "https://" + host + ":" + port}),
				config:     "hosts: " + hosts + "\n",
			})
			waitReady(t, p, node)
			waitLease(t, p, node)
			a.stop()
		})
	}
}

// twoDoors are two addresses of one server with the same port.
func twoDoors(t *testing.T, open func(listen string) *proxy.Proxy) (first, second *proxy.Proxy, port int) {
	t.Helper()
	first = open("127.0.0.2:0")
	port = first.Port()
	return first, open(fmt.Sprintf("127.0.0.3:%d", port)), port
}

// serverMoves lets the server behind a name go from one address to another.
func serverMoves(t *testing.T, p *plane.Plane, o options, first, second *proxy.Proxy, port int, move func()) {
	t.Helper()
	o.name = nodeName(t)
	o.kubeconfig = nodeKubeconfig(t, p, o.name,
		plane.KubeconfigOptions{Server: fmt.Sprintf("https://%s:%d", plane.TestName, port)})
	a := start(t, p, o)
	waitReady(t, p, o.name)
	waitLease(t, p, o.name)
	if n := second.Stats().Accepted; n != 0 {
		t.Fatalf("%d connections to the second address before the move", n)
	}
	move()
	check(t, first.SetRefuse(true))
	first.CutAll(proxy.RST)
	worksAgain(t, p, a, o.name, 2*soon)
	if second.Stats().Open == 0 {
		t.Errorf("no connection to the second address")
	}
}

func TestServerMovesInHostsFile(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	first, second, port := twoDoors(t, func(listen string) *proxy.Proxy { return newDoor(t, p, listen) })
	hosts := hostsFile(t, "127.0.0.2 "+plane.TestName+"\n")
	serverMoves(t, p, options{config: "hosts: " + hosts + "\n"}, first, second, port, func() {
		replaceFile(t, hosts, "127.0.0.3 "+plane.TestName+"\n")
	})
}

// The second address of a name serves when the first refuses.
func TestServerWithTwoAddresses(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	first, second, port := twoDoors(t, func(listen string) *proxy.Proxy { return newDoor(t, p, listen) })
	check(t, first.SetRefuse(true))
	name := nodeName(t)
	hosts := hostsFile(t, "127.0.0.2 "+plane.TestName+"\n127.0.0.3 "+plane.TestName+"\n")
	a := start(t, p, options{
		kubeconfig: nodeKubeconfig(t, p, name, plane.KubeconfigOptions{Server: fmt.Sprintf("https://%s:%d", plane.TestName, port)}),
		config:     "hosts: " + hosts + "\n",
	})
	waitReady(t, p, name)
	check(t, first.SetRefuse(false))
	check(t, second.SetRefuse(true))
	second.CutAll(proxy.RST)
	worksAgain(t, p, a, name, 2*soon)
}

// nameServer answers for plane.TestName with one address, over UDP.
type nameServer struct {
	mu    sync.Mutex
	addr  netip.Addr
	mute  bool
	asked int
}

func (s *nameServer) set(addr string, mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr, s.mute = netip.MustParseAddr(addr), mute
}

func (s *nameServer) serve(conn net.PacketConn) {
	query := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(query)
		if err != nil {
			return
		}
		if answer := s.answer(query[:n]); answer != nil {
			conn.WriteTo(answer, from)
		}
	}
}

func (s *nameServer) answer(query []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parser dnsmessage.Parser
	head, err := parser.Start(query)
	if err != nil || s.mute {
		return nil
	}
	question, err := parser.Question()
	if err != nil {
		return nil
	}
	s.asked++
	head.Response, head.RecursionAvailable = true, head.RecursionDesired
	ours := strings.EqualFold(question.Name.String(), plane.TestName+".")
	if !ours {
		head.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(nil, head)
	b.StartQuestions()
	b.Question(question)
	b.StartAnswers()
	if ours && question.Type == dnsmessage.TypeA && s.addr.Is4() {
		b.AResource(dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 3600},
			dnsmessage.AResource{A: s.addr.As4()})
	}
	if ours && question.Type == dnsmessage.TypeAAAA && s.addr.Is6() {
		b.AAAAResource(dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 3600},
			dnsmessage.AAAAResource{AAAA: s.addr.As16()})
	}
	answer, err := b.Finish()
	if err != nil || binary.BigEndian.Uint16(answer) != head.ID {
		return nil
	}
	return answer
}

// The agent asks a name server by itself, on port 53, which only a network
// namespace has free; each reconnect asks anew.
func TestServerMovesBehindNameServer(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	n := newNetns(t)
	var conn net.PacketConn
	check(t, n.do(func() (err error) {
		conn, err = net.ListenPacket("udp", "127.0.0.1:53")
		return err
	}))
	dns := &nameServer{}
	dns.set("127.0.0.2", false)
	served := make(chan struct{})
	go func() { defer close(served); dns.serve(conn) }()
	t.Cleanup(func() { conn.Close(); <-served })

	first, second, port := twoDoors(t, func(listen string) *proxy.Proxy { return n.door(t, p, listen) })
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	replaceFile(t, conf, "search example.test\nnameserver 127.0.0.1\noptions timeout:1\n")
	o := options{
		config: "resolvConf: " + conf + "\nhosts: " + hostsFile(t, "") + "\n",
		launch: func(cmd *exec.Cmd) error { return n.do(cmd.Start) },
	}
	serverMoves(t, p, o, first, second, port, func() {
		// The name server itself is away for a while, as after a power cut.
		dns.set("127.0.0.3", true)
		first.CutAll(proxy.RST)
		time.Sleep(5 * time.Second)
		dns.set("127.0.0.3", false)
	})
	if dns.asked < 4 {
		t.Errorf("the name server was asked %d times", dns.asked)
	}
}
