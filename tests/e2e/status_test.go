// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kill -9, the controller's Unknown, and back.
func TestKilledAgentComesBack(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	a := start(t, p, options{})
	before := waitReady(t, p, name)
	waitLease(t, p, name)
	a.kill()
	unknown := waitReadyStatus(t, p, name, corev1.ConditionUnknown, unknownWithin)
	start(t, p, options{})
	after := waitReadyStatus(t, p, name, corev1.ConditionTrue, soon)
	if after.UID != before.UID {
		t.Errorf("another Node: %s, was %s", after.UID, before.UID)
	}
	flip := condition(after, corev1.NodeReady).LastTransitionTime
	if since := condition(unknown, corev1.NodeReady).LastTransitionTime; flip.Before(&since) {
		t.Errorf("Ready since %s, Unknown since %s", flip, since)
	}
	eventually(t, soon, "no unreachable taint", func() error {
		if node := getNode(t, p, name); hasTaint(node, corev1.TaintNodeUnreachable) {
			return fmt.Errorf("taints %v", node.Spec.Taints)
		}
		return nil
	})
	waitRenewal(t, p, name, time.Now(), soon)
	finishesPods(t, p, name, name, soon)
}

// An agent that was stopped while the controller gave it up answers in 2 s
// once it runs again, and says that it changed at that moment.
func TestStoppedAgentAnswersUnknown(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	h := watchNode(t, p, name)
	a := start(t, p, options{})
	waitSettled(t, p, name)
	waitLease(t, p, name)
	a.signal(syscall.SIGSTOP)
	_, i := h.wait(t, unknownWithin, "Unknown", 0, func(s seen) bool { return readyStatus(s.node) == corev1.ConditionUnknown })
	time.Sleep(2 * time.Second) // the times in the Node are whole seconds
	from := time.Now()
	a.signal(syscall.SIGCONT)
	back, _ := h.wait(t, soon, "Ready", i, func(s seen) bool { return readyStatus(s.node) == corev1.ConditionTrue })
	answered(t, from, back)
	for _, kind := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure} {
		if c := condition(back.node, kind); c == nil || c.Status != corev1.ConditionFalse {
			t.Errorf("%s is %+v", kind, c)
		}
	}
}

// That it takes no longer than 2 s is proven on a clock that no other process
// slows down: tests/fault/test_status.c.
func answered(t *testing.T, from time.Time, back seen) {
	t.Helper()
	t.Logf("answered after %s", back.at.Sub(from))
	flip := condition(back.node, corev1.NodeReady).LastTransitionTime
	if flip.Time.Before(from.Truncate(time.Second)) {
		t.Errorf("Ready since %s, which is before the flip at %s", flip, from)
	}
}

// Unknown that somebody writes while the agent is well is answered too, as
// often as it comes.
func TestUnknownIsAnswered(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	h := watchNode(t, p, name)
	start(t, p, options{})
	waitSettled(t, p, name)
	for range 3 {
		time.Sleep(1100 * time.Millisecond)
		i, from := len(h.all()), time.Now()
		now := metav1.Now()
		setCondition(t, p, name, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown,
			Reason: "Test", Message: "set by a test", LastHeartbeatTime: now, LastTransitionTime: now})
		_, i = h.wait(t, soon, "Unknown", i, func(s seen) bool { return readyStatus(s.node) == corev1.ConditionUnknown })
		back, _ := h.wait(t, soon, "Ready", i, func(s seen) bool { return readyStatus(s.node) == corev1.ConditionTrue })
		answered(t, from, back)
	}
}

// Heartbeats move the heartbeat time alone, and conditions of others are left
// as they are.
func TestHeartbeatMovesNoTransition(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	start(t, p, options{config: "statusUpdateSeconds: 1\nstatusReportSeconds: 2\n"})
	waitReady(t, p, name)
	past := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	foreign := corev1.NodeCondition{Type: "example.com/Fan", Status: corev1.ConditionTrue, Reason: "Loud",
		Message: "of another program", LastHeartbeatTime: past, LastTransitionTime: past}
	before := setCondition(t, p, name, foreign)
	time.Sleep(2 * time.Second)

	var after *corev1.Node
	eventually(t, soon, "three heartbeats", func() error {
		after = getNode(t, p, name)
		was, is := condition(before, corev1.NodeReady), condition(after, corev1.NodeReady)
		if moved := is.LastHeartbeatTime.Sub(was.LastHeartbeatTime.Time); moved < 6*time.Second {
			return fmt.Errorf("moved by %s", moved)
		}
		return nil
	})
	for _, was := range before.Status.Conditions {
		is := condition(after, was.Type)
		if is == nil || is.Status != was.Status || !is.LastTransitionTime.Equal(&was.LastTransitionTime) {
			t.Errorf("%s: %+v, was %+v", was.Type, is, was)
		}
	}
	if is := condition(after, foreign.Type); is == nil || is.Reason != foreign.Reason || is.Message != foreign.Message ||
		!is.LastHeartbeatTime.Equal(&foreign.LastHeartbeatTime) {
		t.Errorf("the other program's condition is %+v", is)
	}

	// A flip of ours leaves it alone too.
	setCondition(t, p, name, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown})
	node := waitReadyStatus(t, p, name, corev1.ConditionTrue, soon)
	if is := condition(node, foreign.Type); is == nil || !is.LastTransitionTime.Equal(&past) {
		t.Errorf("the other program's condition is %+v", is)
	}
}

// What people change by hand in what is ours is put right; what is theirs
// stays.
func TestHandMadeChangesArePutRight(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	start(t, p, options{config: "labels: {example.com/rack: a7}\n"})
	waitSettled(t, p, name)
	patchNode(t, p, name, map[string]any{"metadata": map[string]any{"labels": map[string]any{
		"example.com/rack": "moved", "topology.kubernetes.io/region": nil, "example.com/theirs": "stays"}}})
	eventually(t, soon, "our labels", func() error {
		labels := getNode(t, p, name).Labels
		if labels["example.com/rack"] != "a7" || labels["topology.kubernetes.io/region"] != "kubemote-devices" {
			return fmt.Errorf("they are %v", labels)
		}
		return nil
	})
	patchNode(t, p, name, map[string]any{"status": map[string]any{
		"addresses": []map[string]string{{"type": "InternalIP", "address": "203.0.113.99"}, {"type": "ExternalIP", "address": "203.0.113.98"}},
		"capacity":  map[string]string{"cpu": "77"},
		"nodeInfo":  map[string]string{"osImage": "Other"},
	}}, "status")
	eventually(t, soon, "our status", func() error {
		node := getNode(t, p, name)
		if node.Status.Capacity.Cpu().Value() == 77 || node.Status.NodeInfo.OSImage == "Other" {
			return fmt.Errorf("capacity %v, info %v", node.Status.Capacity, node.Status.NodeInfo)
		}
		for _, a := range node.Status.Addresses {
			if a.Address == "203.0.113.99" || a.Address == "203.0.113.98" {
				return fmt.Errorf("addresses %v", node.Status.Addresses)
			}
		}
		return nil
	})
	node := getNode(t, p, name)
	if node.Labels["example.com/theirs"] != "stays" {
		t.Errorf("labels %v", node.Labels)
	}
}
