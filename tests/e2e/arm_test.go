// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// asARM runs the agent's ARM build on an emulated processor.
func asARM(t *testing.T, o options) options {
	t.Helper()
	qemu, err := exec.LookPath("qemu-arm")
	if err != nil {
		qemu, err = exec.LookPath("qemu-arm-static")
	}
	if err != nil {
		t.Skip("skipped: no qemu-arm (Debian: qemu-user)")
	}
	if o.binary, err = fromEnv(envARM, "build/armv7/kubemote"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(o.binary); err != nil {
		t.Fatalf("no ARM build of the agent (%s): %v", envARM, err)
	}
	o.wrap = []string{qemu, "-cpu", "cortex-a7"}
	return o
}

// The agent as ARM code joins the cluster with the facts of its machine, and
// comes back after a power cut.
func TestARMAgentJoins(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	a := start(t, p, asARM(t, options{args: []string{"--print-node"}}))
	node := waitSettled(t, p, name)
	armFacts(t, node)
	lease := waitLease(t, p, name)
	if len(lease.OwnerReferences) != 1 || lease.OwnerReferences[0].UID != node.UID {
		t.Errorf("lease owned by %v", lease.OwnerReferences)
	}
	finishesPods(t, p, name, name+"-1", soon)

	a.kill()
	unknown := waitReadyStatus(t, p, name, corev1.ConditionUnknown, unknownWithin)
	b := start(t, p, asARM(t, options{}))
	after := waitReadyStatus(t, p, name, corev1.ConditionTrue, 2*soon)
	if after.UID != node.UID {
		t.Errorf("another Node: %s, was %s", after.UID, node.UID)
	}
	was, is := condition(unknown, corev1.NodeReady).LastTransitionTime, condition(after, corev1.NodeReady).LastTransitionTime
	if is.Before(&was) {
		t.Errorf("Ready since %s, Unknown since %s", is, was)
	}
	waitRenewal(t, p, name, time.Now(), soon)
	finishesPods(t, p, name, name+"-2", soon)
	b.stop()
	if resumed := b.metric("kubemote_tls_handshakes_resumed"); resumed < 2 {
		t.Errorf("%v resumed handshakes", resumed)
	}
	told(t, b, "true")
}

func armFacts(t *testing.T, node *corev1.Node) {
	t.Helper()
	var names unix.Utsname
	check(t, unix.Uname(&names))
	var disk unix.Statfs_t
	check(t, unix.Statfs("/", &disk))
	info := node.Status.NodeInfo
	for what, pair := range map[string][2]string{
		"architecture":      {info.Architecture, "arm"},
		"arch label":        {node.Labels[corev1.LabelArchStable], "arm"},
		"operatingSystem":   {info.OperatingSystem, "linux"},
		"kernelVersion":     {info.KernelVersion, unix.ByteSliceToString(names.Release[:])},
		"osImage":           {info.OSImage, prettyName(t)},
		"bootID":            {info.BootID, firstFile(t, "/proc/sys/kernel/random/boot_id")},
		"memory":            {fmt.Sprint(node.Status.Capacity.Memory().Value()), fmt.Sprint(memoryTotal(t))},
		"ephemeral storage": {fmt.Sprint(node.Status.Capacity.StorageEphemeral().Value()), fmt.Sprint(int64(disk.Blocks) * int64(disk.Frsize))},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, Go reads %q", what, pair[0], pair[1])
		}
	}
	for _, kind := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure} {
		if c := condition(node, kind); c == nil || c.Status == corev1.ConditionUnknown {
			t.Errorf("%s is %+v", kind, c)
		}
	}
	if cpus := node.Status.Capacity.Cpu().Value(); cpus < 1 {
		t.Errorf("%d processors", cpus)
	}
}
