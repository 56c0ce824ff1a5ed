// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

// newDoor is a proxy before the plane that misbehaves on request.
func newDoor(t *testing.T, p *plane.Plane, listen string) *proxy.Proxy {
	t.Helper()
	door, err := proxy.New(listen, p.Addr())
	check(t, err)
	t.Cleanup(door.Close)
	return door
}

func doorKubeconfig(t *testing.T, p *plane.Plane, name string, door *proxy.Proxy) string {
	t.Helper()
	return nodeKubeconfig(t, p, name, plane.KubeconfigOptions{Server: "https://" + door.Addr()})
}

// count is nil when exactly so many lines of the log contain the words.
func count(a *agent, want int, words ...string) error {
	if got := len(a.lines(words...)); got != want {
		return fmt.Errorf("%d lines with %q, want %d", got, words, want)
	}
	return nil
}

// worksAgain finds the agent whole after trouble: the Node Ready, the lease
// renewed, the pods' cache right, and the same process.
func worksAgain(t *testing.T, p *plane.Plane, a *agent, pod string, limit time.Duration) {
	t.Helper()
	a.mustRun()
	began := time.Now()
	waitReadyStatus(t, p, a.name, corev1.ConditionTrue, limit)
	waitRenewal(t, p, a.name, began, limit)
	finishesPods(t, p, a.name, pod, limit)
	t.Logf("works again after %.1f s", time.Since(began).Seconds())
}

// A link that is gone for 30 s, in each way in which links go: the node turns
// Unknown meanwhile, and the agent hears what it missed when it is back.
func TestLinkIsCutFor30Seconds(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	for _, c := range []struct {
		name       string
		away, back func(*proxy.Proxy) error
	}{
		{"refused", func(d *proxy.Proxy) error { defer d.CutAll(proxy.RST); return d.SetRefuse(true) },
			func(d *proxy.Proxy) error { return d.SetRefuse(false) }},
		{"closed", func(d *proxy.Proxy) error { defer d.CutAll(proxy.FIN); return d.SetRefuse(true) },
			func(d *proxy.Proxy) error { return d.SetRefuse(false) }},
		{"cable", func(d *proxy.Proxy) error { d.SetSilent(true); return nil },
			func(d *proxy.Proxy) error { d.SetSilent(false); return nil }},
		{"half-open", func(d *proxy.Proxy) error { d.SetBlackHole(true); return nil },
			func(d *proxy.Proxy) error { d.SetBlackHole(false); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := nodeName(t)
			door := newDoor(t, p, "127.0.0.1:0")
			a := start(t, p, options{kubeconfig: doorKubeconfig(t, p, name, door)})
			before := waitSettled(t, p, name)
			waitLease(t, p, name)
			makePod(t, p, "default", name+"-missed", name)
			check(t, c.away(door))
			deletePod(t, p, "default", name+"-missed")
			time.Sleep(30 * time.Second)
			waitReadyStatus(t, p, name, corev1.ConditionUnknown, unknownWithin)
			a.waitLine(soon, "The API server can't be used")
			check(t, c.back(door))
			worksAgain(t, p, a, name, 2*soon)
			eventually(t, soon, "the missed pod's end", func() error { return podGone(t, p, "default", name+"-missed") })
			if after := getNode(t, p, name); after.UID != before.UID {
				t.Errorf("another Node: %s, was %s", after.UID, before.UID)
			}
			check(t, count(a, 1, "The API server can't be used"))
			a.waitLine(soon, "The API server answers again")
		})
	}
}

// A peer that vanished without a word is noticed within a minute: here by the
// lease that can't be written.
func TestDeadLinkIsNoticedWithinAMinute(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	door := newDoor(t, p, "127.0.0.1:0")
	// Renewals are so rare that nothing but the probes of idle links can tell.
	a := start(t, p, options{kubeconfig: doorKubeconfig(t, p, name, door),
		config: "leaseDurationSeconds: 3600\nleaseRenewSeconds: 1800\nstatusUpdateSeconds: 3600\nstatusReportSeconds: 86400\n"})
	waitReady(t, p, name)
	waitLease(t, p, name)
	door.SetSilent(true)
	from := time.Now()
	a.waitLine(2*soon, "Watch broken")
	took := time.Since(from)
	t.Logf("noticed after %.1f s", took.Seconds())
	if took > time.Minute+15*time.Second {
		t.Errorf("noticed after %s", took)
	}
	door.SetSilent(false)
	a.waitLine(2*soon, "Watch works again")
	finishesPods(t, p, name, name, 2*soon)
}

// Links that break again and again, at any point of what they carry: memory
// stays as it was and the node is whole at the end.
func TestManyShortCuts(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	door := newDoor(t, p, "127.0.0.1:0")
	a := start(t, p, options{kubeconfig: doorKubeconfig(t, p, name, door), config: "leaseRenewSeconds: 1\n"})
	waitSettled(t, p, name)
	// Handshakes cut in the middle first, so that all memory was in use once.
	for _, after := range []int64{0, 1, 100, 900, 1500, 2600, 4000} {
		door.CutAfter(after, proxy.RST)
		door.CutAll(proxy.FIN)
		time.Sleep(1500 * time.Millisecond)
	}
	door.CutAfter(1<<40, proxy.RST)
	worksAgain(t, p, a, name+"-1", 2*soon)
	before := a.memory("RssAnon")
	for i := range 20 {
		door.CutAll([]proxy.Cut{proxy.FIN, proxy.RST}[i%2])
		time.Sleep(500 * time.Millisecond)
	}
	worksAgain(t, p, a, name+"-2", 2*soon)
	after := a.memory("RssAnon")
	t.Logf("written memory %d kB, then %d kB", before, after)
	if after > before+32 {
		t.Errorf("memory grew from %d to %d kB", before, after)
	}
	if a.stop(); a.metric("kubemote_tls_arena_refused") != 0 {
		t.Errorf("the arena was too small")
	}
}

// A slow and narrow link carries all of it.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	door := newDoor(t, p, "127.0.0.1:0")
	door.SetDelay(300 * time.Millisecond)
	door.SetRate(4000)
	a := start(t, p, options{kubeconfig: doorKubeconfig(t, p, name, door)})
	waitReadyStatus(t, p, name, corev1.ConditionTrue, 2*soon)
	worksAgain(t, p, a, name, 2*soon)
	if said := a.lines("The API server can't be used"); len(said) > 0 {
		t.Errorf("it says: %s", said[0])
	}
}
