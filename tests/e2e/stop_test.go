// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

// told finds that the agent said that it stops, and that it did.
func told(t *testing.T, a *agent, ready string) {
	t.Helper()
	check(t, count(a, 1, `"Stopping: the writes under way are finished first"`))
	check(t, count(a, 1, `"Stopped"`, "wasReady="+ready))
	if lines := klogLines(a.log()); !strings.Contains(lines[len(lines)-1], `"Stopped"`) {
		t.Errorf("its last line is %s", lines[len(lines)-1])
	}
}

// Both signals end an agent at rest at once.
func TestStopAtRest(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	for name, sig := range map[string]syscall.Signal{"term": syscall.SIGTERM, "int": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, p, options{})
			waitSettled(t, p, nodeName(t))
			waitLease(t, p, nodeName(t))
			from := time.Now()
			a.signal(sig)
			if code := a.wait(stopWithin); code != 0 {
				t.Errorf("exit status %d", code)
			}
			took := time.Since(from)
			t.Logf("ended after %.2f s", took.Seconds())
			if took > 10*time.Second {
				t.Errorf("ended after %s", took)
			}
			told(t, a, "true")
			if err := isReady(t, p, nodeName(t)); err != nil {
				t.Errorf("an orderly end must not change the Node: %v", err)
			}
		})
	}
}

// A write under way is finished, and its answer heard.
func TestStopFinishesTheWrite(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	door := newDoor(t, p, "127.0.0.1:0")
	for range 5 {
		if stopsInTheMiddle(t, p, name, door) {
			return
		}
		t.Log("the signal fell between two renewals")
	}
	t.Error("no write was finished after the signal")
}

// renewed is the answer to a renewal of the lease.
var renewed = []string{`"Response" verb="PATCH"`, "/leases/"}

// stopsInTheMiddle ends an agent while its lease is being renewed, as far as
// that can be told from outside, and reports whether the answer came later.
func stopsInTheMiddle(t *testing.T, p *plane.Plane, name string, door *proxy.Proxy) bool {
	t.Helper()
	door.Reset()
	a := start(t, p, options{kubeconfig: doorKubeconfig(t, p, name, door), verbosity: "6",
		config: "leaseDurationSeconds: 4\nleaseRenewSeconds: 1\n"})
	waitReady(t, p, name)
	a.waitLine(soon, renewed...)
	// There and back takes four seconds, and the rest between two only one.
	door.SetDelay(2 * time.Second)
	before := len(a.lines(renewed...))
	eventually(t, soon, "a slow renewal", func() error {
		if len(a.lines(renewed...)) < before+2 {
			return fmt.Errorf("none yet")
		}
		return nil
	})
	time.Sleep(2500 * time.Millisecond)
	a.stop()
	told(t, a, "true")
	return len(afterStopping(a, append(renewed, `status="200 OK"`)...)) > 0
}

// afterStopping are the lines with the words that follow the word of the end.
func afterStopping(a *agent, words ...string) []string {
	_, after, _ := strings.Cut(a.log(), `"Stopping: `)
	var found []string
next:
	for line := range strings.Lines(after) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

// An agent that can't reach its server ends as well, in each state of that.
func TestStopWithoutServer(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	for name, away := range map[string]func(*proxy.Proxy){
		"refused":    func(d *proxy.Proxy) { d.SetRefuse(true); d.CutAll(proxy.RST) },
		"black-hole": func(d *proxy.Proxy) { d.SetBlackHole(true) },
		"cable":      func(d *proxy.Proxy) { d.SetSilent(true) },
	} {
		for _, begin := range []string{"before", "after"} {
			t.Run(name+"-"+begin, func(t *testing.T) {
				t.Parallel()
				stopsWithout(t, p, away, begin == "after")
			})
		}
	}
}

func stopsWithout(t *testing.T, p *plane.Plane, away func(*proxy.Proxy), joined bool) {
	t.Helper()
	name := nodeName(t)
	door := newDoor(t, p, "127.0.0.1:0")
	if !joined {
		away(door)
	}
	a := start(t, p, options{kubeconfig: doorKubeconfig(t, p, name, door), config: "leaseDurationSeconds: 4\nleaseRenewSeconds: 1\n"})
	ready := "false"
	if joined {
		ready = "true"
		waitReady(t, p, name)
		waitLease(t, p, name)
		away(door)
	}
	time.Sleep(3 * time.Second)
	a.stop()
	told(t, a, ready)
}
