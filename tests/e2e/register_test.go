// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const deviceTaint = "kubemote.io/device"

func version(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(root + "/VERSION")
	check(t, err)
	return strings.TrimSpace(string(text))
}

// One request makes the whole Node, so that it is never seen without its
// taint, its labels or its conditions.
func TestRegistration(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	h := watchNode(t, p, name)
	a := start(t, p, options{config: "labels: {example.com/rack: a7}\n", args: []string{"--print-node"}})
	added, _ := h.wait(t, soon, "the Node", 0, func(s seen) bool { return s.kind == watch.Added })

	node := added.node
	if status := readyStatus(node); status != corev1.ConditionTrue {
		t.Errorf("made with Ready %q", status)
	}
	// The server adds not-ready to each new node and its controller takes it
	// away; ours must be there from the first moment.
	if !hasTaint(node, deviceTaint) {
		t.Errorf("made with the taints %v", node.Spec.Taints)
	}
	for label, want := range map[string]string{
		"example.com/rack": "a7", "topology.kubernetes.io/region": "kubemote-devices",
	} {
		if got := node.Labels[label]; got != want {
			t.Errorf("made with label %s=%q", label, got)
		}
	}
	if node.Status.Capacity.Memory().IsZero() || len(node.Status.Addresses) == 0 || node.Status.NodeInfo.BootID == "" {
		t.Errorf("made without its facts: %+v", node.Status)
	}
	eventually(t, soon, "no not-ready taint", func() error {
		if node := getNode(t, p, name); hasTaint(node, corev1.TaintNodeNotReady) {
			return fmt.Errorf("taints %v", node.Spec.Taints)
		}
		return nil
	})
	waitLease(t, p, name)
	askedOnce(t, name)
	tookNoDetour(t, h)
	a.waitLine(soon, `"Registered the Node"`, `node="`+name+`"`)
	printedRow(t, a)
}

func askedOnce(t *testing.T, name string) {
	t.Helper()
	events := shared.audit.ofNode(t, name)
	posts := only(events, func(e *auditEvent) bool { return e.is("create", "nodes") })
	if len(posts) != 1 || posts[0].ResponseStatus.Code != 201 {
		t.Fatalf("%d registrations: %+v", len(posts), posts)
	}
	var made corev1.Node
	check(t, json.Unmarshal(posts[0].RequestObject, &made))
	if len(made.Labels) == 0 || len(made.Spec.Taints) == 0 || len(made.Status.Capacity) == 0 ||
		condition(&made, corev1.NodeReady) == nil {
		t.Errorf("the registration lacks a part: %s", posts[0].RequestObject)
	}
	if want := "kubemote/" + version(t) + " (linux/amd64)"; posts[0].UserAgent != want {
		t.Errorf("user agent %q, want %q", posts[0].UserAgent, want)
	}
	patches := only(events, func(e *auditEvent) bool { return e.Verb == "patch" && e.ObjectRef.Resource == "nodes" })
	if len(patches) > 0 {
		t.Errorf("%d patches on top of the registration, the first is %s", len(patches), patches[0].RequestObject)
	}
	refused := only(events, func(e *auditEvent) bool {
		return e.ResponseStatus.Code >= 400 && !(e.is("get", "leases") && e.ResponseStatus.Code == 404)
	})
	if len(refused) > 0 {
		t.Errorf("refused by the server: %+v", refused)
	}
}

func tookNoDetour(t *testing.T, h *history) {
	t.Helper()
	for _, s := range h.all() {
		if readyStatus(s.node) != corev1.ConditionTrue || !hasTaint(s.node, deviceTaint) {
			t.Errorf("the Node was seen with Ready %q and taints %v", readyStatus(s.node), s.node.Spec.Taints)
		}
	}
}

// printedRow finds the table on standard output, away from the log.
func printedRow(t *testing.T, a *agent) {
	t.Helper()
	eventually(t, soon, "the printed row", func() error {
		lines := strings.Split(a.out(), "\n")
		if len(lines) < 3 {
			return fmt.Errorf("printed %q", lines)
		}
		head, row := strings.Fields(lines[0]), strings.Fields(lines[1])
		if strings.Join(head, " ") != "NAME STATUS AGE VERSION INTERNAL-IP KERNEL-VERSION" || len(row) < 5 || row[0] != a.name || row[1] != "Ready" {
			return fmt.Errorf("printed %q", lines)
		}
		return nil
	})
}

// A Node that exists is taken over: what is not ours stays, what is wrong is
// put right.
func TestAdoption(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	h := watchNode(t, p, name)
	first := start(t, p, options{})
	before := waitReady(t, p, name)
	first.stop()
	patchNode(t, p, name, map[string]any{"metadata": map[string]any{
		"labels":      map[string]any{"example.com/mine": "yes", "topology.kubernetes.io/region": "elsewhere"},
		"annotations": map[string]any{"example.com/note": "kept"}}})

	start(t, p, options{})
	eventually(t, soon, "the region label", func() error {
		if got := getNode(t, p, name).Labels["topology.kubernetes.io/region"]; got != "kubemote-devices" {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	after := waitReady(t, p, name)
	if after.UID != before.UID {
		t.Errorf("another Node: %s, was %s", after.UID, before.UID)
	}
	if after.Labels["example.com/mine"] != "yes" || after.Annotations["example.com/note"] != "kept" {
		t.Errorf("what others wrote is gone: %v %v", after.Labels, after.Annotations)
	}
	was, is := condition(before, corev1.NodeReady), condition(after, corev1.NodeReady)
	// On a slow machine the controller may have given the node up between the two.
	if !was.LastTransitionTime.Equal(&is.LastTransitionTime) && !h.everUnknown() {
		t.Errorf("Ready since %s, was since %s", is.LastTransitionTime, was.LastTransitionTime)
	}
}

// Nobody has to do anything for these. The small binary, without the command line, has its own.
func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	small, err := fromEnv(envSmall, "build/armv7-agent/kubemote")
	check(t, err)
	for _, c := range []struct {
		command []string
		part    string
	}{
		{[]string{agentBin, "--version"}, "kubemote " + version(t) + "\n"},
		{[]string{agentBin, "version", "--client"}, "Client Version: v" + version(t) + "\n"},
		{[]string{agentBin, "run", "--help"}, "--kubeconfig"},
		{[]string{agentBin, "help"}, "  get "},
		{[]string{"qemu-arm", small, "version"}, "kubemote " + version(t) + "\n"},
		{[]string{"qemu-arm", small, "help"}, "--kubeconfig"},
		{[]string{"qemu-arm", small, "run", "--help"}, "--kubeconfig"},
	} {
		out, err := exec.Command(c.command[0], c.command[1:]...).Output()
		if err != nil || !strings.Contains(string(out), c.part) {
			t.Errorf("%v: %v, prints %q", c.command, err, out)
		}
	}
}

// An idle agent reads and writes nothing but its lease.
func TestQuietWhenNothingChanges(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	a := start(t, p, options{})
	before := waitSettled(t, p, name)
	waitLease(t, p, name)
	from := time.Now()
	cpu := a.cpu()
	time.Sleep(30 * time.Second)

	if after := getNode(t, p, name); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the Node changed: %v", after.ManagedFields)
	}
	asked := only(shared.audit.ofNode(t, name), func(e *auditEvent) bool {
		return e.RequestReceivedTimestamp.After(from) && e.Stage == "ResponseComplete"
	})
	renewals := 0
	for _, e := range asked {
		if !e.is("patch", "leases") {
			t.Errorf("asked for %s %s", e.Verb, e.RequestURI)
			continue
		}
		renewals++
	}
	if renewals < 2 || renewals > 4 {
		t.Errorf("%d renewals in 30 s", renewals)
	}
	if used := a.cpu() - cpu; used > 500*time.Millisecond {
		t.Errorf("used %s of processor time in 30 s of rest", used)
	}
}
