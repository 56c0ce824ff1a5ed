// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// firstFile is the content of the first file that has any.
func firstFile(t *testing.T, paths ...string) string {
	t.Helper()
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil {
			if trimmed := strings.Trim(string(text), " \t\r\n\x00"); trimmed != "" {
				return trimmed
			}
		}
	}
	return ""
}

func memoryTotal(t *testing.T) int64 {
	t.Helper()
	f, err := os.Open("/proc/meminfo")
	check(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if words[0] == "MemTotal:" {
			kB, err := strconv.ParseInt(words[1], 10, 64)
			check(t, err)
			return kB * 1024
		}
	}
	t.Fatal("no MemTotal")
	return 0
}

func prettyName(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(firstFile(t, "/etc/os-release", "/usr/lib/os-release")) {
		if value, found := strings.CutPrefix(line, "PRETTY_NAME="); found {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return "Linux"
}

// machineAddresses are those of interfaces that are up, without loopback and
// link-local ones.
func machineAddresses(t *testing.T) []string {
	t.Helper()
	interfaces, err := net.Interfaces()
	check(t, err)
	var found []string
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		check(t, err)
		for _, addr := range addrs {
			if ip := addr.(*net.IPNet).IP; ip.IsGlobalUnicast() {
				found = append(found, ip.String())
			}
		}
	}
	slices.Sort(found)
	return found
}

// nodeAddresses returns the addresses of one type.
func nodeAddresses(node *corev1.Node, kind corev1.NodeAddressType) []string {
	var found []string
	for _, a := range node.Status.Addresses {
		if a.Type == kind {
			found = append(found, a.Address)
		}
	}
	return found
}

func TestFactsAreTheMachines(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	start(t, p, options{})
	node := waitReady(t, p, nodeName(t))
	var names unix.Utsname
	check(t, unix.Uname(&names))
	var disk unix.Statfs_t
	check(t, unix.Statfs("/", &disk))
	hostname := strings.ToLower(unix.ByteSliceToString(names.Nodename[:]))
	machineID := firstFile(t, "/etc/machine-id", "/var/lib/dbus/machine-id")
	uuid := firstFile(t, "/sys/class/dmi/id/product_uuid", "/sys/firmware/devicetree/base/vm,uuid",
		"/sys/firmware/devicetree/base/serial-number")
	if uuid == "" {
		uuid = machineID
	}

	info := node.Status.NodeInfo
	facts := [][3]string{
		{"kernelVersion", info.KernelVersion, unix.ByteSliceToString(names.Release[:])},
		{"osImage", info.OSImage, prettyName(t)},
		{"bootID", info.BootID, firstFile(t, "/proc/sys/kernel/random/boot_id")},
		{"operatingSystem", info.OperatingSystem, runtime.GOOS},
		{"architecture", info.Architecture, runtime.GOARCH},
		{"arch label", node.Labels[corev1.LabelArchStable], runtime.GOARCH},
		{"host name", fmt.Sprint(nodeAddresses(node, corev1.NodeHostName)), fmt.Sprint([]string{hostname})},
	}
	if machineID != "" {
		facts = append(facts, [3]string{"machineID", info.MachineID, machineID}, [3]string{"systemUUID", info.SystemUUID, uuid})
	}
	for _, f := range facts {
		if f[1] != f[2] {
			t.Errorf("%s is %q, Go reads %q", f[0], f[1], f[2])
		}
	}
	for name, want := range map[corev1.ResourceName]int64{
		corev1.ResourceCPU:              int64(runtime.NumCPU()),
		corev1.ResourceMemory:           memoryTotal(t),
		corev1.ResourceEphemeralStorage: int64(disk.Blocks) * int64(disk.Frsize),
	} {
		for what, list := range map[string]corev1.ResourceList{"capacity": node.Status.Capacity, "allocatable": node.Status.Allocatable} {
			if got := list[name]; got.Value() != want {
				t.Errorf("%s of %s is %s, Go reads %s", what, name, got.String(), resource.NewQuantity(want, resource.BinarySI))
			}
		}
	}
	got := nodeAddresses(node, corev1.NodeInternalIP)
	slices.Sort(got)
	if want := machineAddresses(t); !slices.Equal(got, want) {
		t.Errorf("addresses %v, Go reads %v", got, want)
	}
}

func TestReservedIsTakenFromAllocatable(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	start(t, p, options{config: "reserved: {cpu: 250m, memory: 64Mi, ephemeral-storage: 1Gi}\n"})
	node := waitReady(t, p, nodeName(t))
	for name, reserved := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: "250m", corev1.ResourceMemory: "64Mi", corev1.ResourceEphemeralStorage: "1Gi",
	} {
		want := node.Status.Capacity[name].DeepCopy()
		want.Sub(resource.MustParse(reserved))
		if got := node.Status.Allocatable[name]; got.Cmp(want) != 0 {
			t.Errorf("allocatable %s %s, want %s", name, got.String(), want.String())
		}
	}
}

// A threshold above all that the machine has makes pressure at once.
func TestPressureIsReal(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	start(t, p, options{config: "thresholds: {memoryAvailable: 1Pi, diskFreePercent: 99, transitionSeconds: 0}\n"})
	node := waitSettled(t, p, nodeName(t))
	for kind, want := range map[corev1.NodeConditionType]corev1.ConditionStatus{
		corev1.NodeMemoryPressure: corev1.ConditionTrue,
		corev1.NodeDiskPressure:   diskPressure(t),
		corev1.NodePIDPressure:    corev1.ConditionFalse,
		corev1.NodeReady:          corev1.ConditionTrue,
	} {
		if c := condition(node, kind); c == nil || c.Status != want {
			t.Errorf("%s is %+v, want %s", kind, c, want)
		}
	}
	if !hasTaint(node, corev1.TaintNodeMemoryPressure) {
		t.Errorf("the controller did not hear of it: taints %v", node.Spec.Taints)
	}
}

func diskPressure(t *testing.T) corev1.ConditionStatus {
	t.Helper()
	var disk unix.Statfs_t
	check(t, unix.Statfs("/", &disk))
	if disk.Bavail < disk.Blocks/100*99 {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}
