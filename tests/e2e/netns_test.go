// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

// netns is a thread in a network namespace of its own. What it makes, sockets
// and processes, lives in that namespace.
type netns struct{ work chan func() }

// newNetns makes one with two linked interfaces, left and right. The test is
// skipped where that is not allowed.
func newNetns(t *testing.T) *netns {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root may make a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("skipped: no ip command (Debian: iproute2)")
	}
	n := &netns{work: make(chan func())}
	made := make(chan error)
	go func() {
		// The thread is never given back: it ends with this goroutine.
		runtime.LockOSThread()
		made <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range n.work {
			f()
		}
	}()
	if err := <-made; err != nil {
		close(n.work)
		t.Skipf("skipped: no network namespace here: %v", err)
	}
	t.Cleanup(func() { close(n.work) })
	n.ip(t, "link set lo up")
	n.ip(t, "link add left type veth peer name right")
	n.ip(t, "link set left up")
	n.ip(t, "link set right up")
	return n
}

func (n *netns) do(f func() error) error {
	result := make(chan error, 1)
	n.work <- func() { result <- f() }
	return <-result
}

func (n *netns) ip(t *testing.T, args string) {
	t.Helper()
	cmd := exec.Command("ip", strings.Fields(args)...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	// Started on the thread of the namespace, waited for anywhere.
	check(t, n.do(cmd.Start))
	if err := cmd.Wait(); err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out.String())
	}
}

// door is a proxy that listens in the namespace and forwards to the plane.
func (n *netns) door(t *testing.T, p *plane.Plane, listen string) *proxy.Proxy {
	t.Helper()
	var door *proxy.Proxy
	check(t, n.do(func() (err error) {
		door, err = proxy.New(listen, p.Addr())
		return err
	}))
	t.Cleanup(door.Close)
	return door
}

// A machine with two families gets two addresses of one type; one that goes
// away does not stay behind.
func TestDualStackAddressesFollowTheMachine(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	n := newNetns(t)
	name := nodeName(t)
	n.ip(t, "address add 192.0.2.77/24 dev left")
	door := n.door(t, p, "127.0.0.1:0")
	a := start(t, p, options{
		kubeconfig: doorKubeconfig(t, p, name, door),
		config:     "statusUpdateSeconds: 1\n",
		launch:     func(cmd *exec.Cmd) error { return n.do(cmd.Start) },
	})
	waitAddresses := func(want ...string) {
		t.Helper()
		eventually(t, soon, fmt.Sprintf("addresses %v", want), func() error {
			node, err := findNode(t, p, name)
			if err != nil {
				return err
			}
			got := nodeAddresses(node, corev1.NodeInternalIP)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				return fmt.Errorf("they are %v", got)
			}
			return nil
		})
	}
	waitAddresses("192.0.2.77")
	n.ip(t, "address add 2001:db8::77/64 dev left nodad")
	waitAddresses("192.0.2.77", "2001:db8::77")
	n.ip(t, "address add 2001:db8:1::77/64 dev right nodad")
	waitAddresses("192.0.2.77", "2001:db8:1::77", "2001:db8::77")
	n.ip(t, "address del 192.0.2.77/24 dev left")
	waitAddresses("2001:db8:1::77", "2001:db8::77")
	n.ip(t, "address del 2001:db8::77/64 dev left")
	n.ip(t, "address add 192.0.2.78/24 dev right")
	waitAddresses("192.0.2.78", "2001:db8:1::77")
	if got := nodeAddresses(getNode(t, p, name), corev1.NodeHostName); len(got) != 1 {
		t.Errorf("host names %v", got)
	}
	if err := isReady(t, p, name); err != nil {
		t.Error(err)
	}
	a.stop()
}

// The address that the machine talks with stands first: it is the one that
// people are shown.
func TestAddressOfDefaultRouteStandsFirst(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	n := newNetns(t)
	name := nodeName(t)
	n.ip(t, "address add 192.0.2.5/24 dev left")
	n.ip(t, "address add 198.51.100.9/24 dev right")
	n.ip(t, "route add default via 198.51.100.1 dev right")
	door := n.door(t, p, "127.0.0.1:0")
	start(t, p, options{
		kubeconfig: doorKubeconfig(t, p, name, door),
		launch:     func(cmd *exec.Cmd) error { return n.do(cmd.Start) },
	})
	got := nodeAddresses(waitReady(t, p, name), corev1.NodeInternalIP)
	if want := []string{"198.51.100.9", "192.0.2.5"}; !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
}
