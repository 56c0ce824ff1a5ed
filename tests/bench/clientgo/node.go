// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"os"
	"runtime"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func newNode(name string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: labels(),
		},
		Spec: corev1.NodeSpec{
			Taints: []corev1.Taint{{Key: "kubemote.io/device", Effect: corev1.TaintEffectNoSchedule}},
		},
		Status: status(),
	}
}

func labels() map[string]string {
	return map[string]string{
		corev1.LabelArchStable:           runtime.GOARCH,
		corev1.LabelTopologyRegion:       "kubemote-devices",
		corev1.LabelNodeExcludeBalancers: "true",
	}
}

func status() corev1.NodeStatus {
	size := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		corev1.ResourceMemory: resource.MustParse(memory()),
		corev1.ResourcePods:   resource.MustParse("0"),
	}
	return corev1.NodeStatus{
		Capacity:    size,
		Allocatable: size,
		Addresses:   []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}},
		Conditions: []corev1.NodeCondition{
			condition(corev1.NodeReady, corev1.ConditionTrue, "AgentReady"),
			condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "Enough"),
			condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "Enough"),
			condition(corev1.NodePIDPressure, corev1.ConditionFalse, "Enough"),
		},
		NodeInfo: corev1.NodeSystemInfo{
			MachineID:       read("/etc/machine-id"),
			BootID:          read("/proc/sys/kernel/random/boot_id"),
			KernelVersion:   read("/proc/sys/kernel/osrelease"),
			OSImage:         "Linux",
			KubeletVersion:  "v1.36.0-bench",
			OperatingSystem: runtime.GOOS,
			Architecture:    runtime.GOARCH,
		},
	}
}

func condition(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason string) corev1.NodeCondition {
	now := metav1.Now()
	return corev1.NodeCondition{
		Type: kind, Status: status, Reason: reason, Message: "measured by the system",
		LastHeartbeatTime: now, LastTransitionTime: now,
	}
}

func read(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}

// memory is the machine's, as a quantity.
func memory() string {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return "0"
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == "MemTotal:" {
			return words[1] + "Ki"
		}
	}
	return "0"
}
