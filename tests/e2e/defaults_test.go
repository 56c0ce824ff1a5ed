// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/component-helpers/node/topology"

	"kubemote.io/tests/cluster/plane"
)

// docs/CLUSTER.md says what a device does to a cluster; here stand the tests
// that the rows of its table name.

func TestClusterPageNamesItsTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs/CLUSTER.md"))
	check(t, err)
	source, err := os.ReadFile("defaults_test.go")
	check(t, err)
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| effect") {
			continue
		}
		rows++
		names := regexp.MustCompile(`TestCluster\w+`).FindAllString(cells[len(cells)-1], -1)
		if len(names) == 0 {
			t.Errorf("a row without a test: %s", cells[0])
		}
		for _, name := range names {
			if !strings.Contains(string(source), "func "+name+"(") {
				t.Errorf("no such test: %s", name)
			}
		}
	}
	if rows < 7 {
		t.Errorf("only %d rows were found", rows)
	}
}

func podSpec(selector map[string]string, tolerations ...corev1.Toleration) corev1.PodSpec {
	no := false
	return corev1.PodSpec{
		NodeSelector:                 selector,
		Tolerations:                  tolerations,
		AutomountServiceAccountToken: &no,
		Containers:                   []corev1.Container{{Name: "none", Image: "example.com/none"}},
	}
}

var tolerateAll = corev1.Toleration{Operator: corev1.TolerationOpExists}

// unschedulable waits for the scheduler's verdict on a pod.
func unschedulable(t *testing.T, p *plane.Plane, name string) string {
	t.Helper()
	var why string
	eventually(t, soon, "the scheduler's verdict", func() error {
		pod, err := p.Client().CoreV1().Pods("default").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if pod.Spec.NodeName != "" {
			t.Fatalf("%s was bound to %s", name, pod.Spec.NodeName)
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				why = c.Message
				return nil
			}
		}
		return fmt.Errorf("conditions %v", pod.Status.Conditions)
	})
	return why
}

func schedule(t *testing.T, p *plane.Plane, name string, spec corev1.PodSpec) {
	t.Helper()
	_, err := p.Client().CoreV1().Pods("default").Create(t.Context(),
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{})
	check(t, err)
}

// group marks the nodes of one test.
func group(t *testing.T) (config string, selector map[string]string) {
	t.Helper()
	name := nodeName(t)
	return "labels: {example.com/group: " + name + "}\n", map[string]string{"example.com/group": name}
}

// Row: the scheduler puts pods on it.
func TestClusterSchedulerLeavesDeviceAlone(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	config, selector := group(t)
	name := nodeName(t)
	start(t, p, options{config: config})
	waitSettled(t, p, name)
	schedule(t, p, name+"-plain", podSpec(selector))
	schedule(t, p, name+"-tolerant", podSpec(selector, tolerateAll))
	if why := unschedulable(t, p, name+"-plain"); !strings.Contains(why, "untolerated taint") {
		t.Errorf("an ordinary pod: %s", why)
	}
	if why := unschedulable(t, p, name+"-tolerant"); !strings.Contains(why, "Too many pods") {
		t.Errorf("a pod that tolerates all: %s", why)
	}
	node := getNode(t, p, name)
	if pods := node.Status.Capacity[corev1.ResourcePods]; pods.Value() != 0 {
		t.Errorf("capacity of %s pods", pods.String())
	}
	if pods, found := node.Status.Allocatable[corev1.ResourcePods]; !found || pods.Value() != 0 {
		t.Errorf("allocatable %s pods", pods.String())
	}
}

// The keys of that row.
func TestClusterSchedulerUsesDeviceWhenConfigured(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	config, selector := group(t)
	name := nodeName(t)
	start(t, p, options{config: config + "podsCapacity: 5\ntaints: []\n"})
	node := waitSettled(t, p, name)
	if hasTaint(node, deviceTaint) {
		t.Errorf("taints %v", node.Spec.Taints)
	}
	schedule(t, p, name+"-pod", podSpec(selector))
	eventually(t, soon, "the pod's node", func() error {
		pod, err := p.Client().CoreV1().Pods("default").Get(t.Context(), name+"-pod", metav1.GetOptions{})
		if err == nil && pod.Spec.NodeName != name {
			err = fmt.Errorf("it is %q", pod.Spec.NodeName)
		}
		return err
	})
}

// Row: DaemonSets for Linux nodes count it.
func TestClusterDaemonSetsPassByDevice(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	config, selector := group(t)
	device, worker := nodeName(t)+"-device", nodeName(t)+"-like-worker"
	start(t, p, options{name: device, config: config})
	start(t, p, options{name: worker, config: config + "registerOSLabel: true\n"})
	if label, found := waitSettled(t, p, device).Labels[corev1.LabelOSStable]; found {
		t.Fatalf("the device has the os label %q", label)
	}
	waitSettled(t, p, worker)

	selector[corev1.LabelOSStable] = "linux"
	labels := map[string]string{"app": nodeName(t)}
	sets := p.Client().AppsV1().DaemonSets("default")
	_, err := sets.Create(t.Context(), &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName(t)},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       podSpec(selector, tolerateAll),
			},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	eventually(t, soon, "the DaemonSet's count", func() error {
		set, err := sets.Get(t.Context(), nodeName(t), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if set.Status.ObservedGeneration == 0 || set.Status.DesiredNumberScheduled != 1 {
			return fmt.Errorf("%d nodes wanted: %+v", set.Status.DesiredNumberScheduled, set.Status)
		}
		return nil
	})
}

// fakeWorker is a node that takes pods, for the cluster's controllers alone. It
// lives until the returned function or the end of the test.
func fakeWorker(t *testing.T, p *plane.Plane, name string, labels map[string]string) (die func()) {
	t.Helper()
	labels[corev1.LabelHostname] = name
	now := metav1.Now()
	resources := corev1.ResourceList{
		corev1.ResourceCPU: quantity("4"), corev1.ResourceMemory: quantity("4Gi"), corev1.ResourcePods: quantity("20"),
	}
	_, err := p.Client().CoreV1().Nodes().Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Status: corev1.NodeStatus{
			Capacity: resources, Allocatable: resources,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Test",
				LastHeartbeatTime: now, LastTransitionTime: now}},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	return keepAlive(t, p, name)
}

// spread makes a Deployment of four pods that must be spread over host names
// and returns how many found a place.
func spread(t *testing.T, p *plane.Plane, name string, selector map[string]string, want int) {
	t.Helper()
	four, labels := int32(4), map[string]string{"app": name}
	spec := podSpec(selector)
	spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule,
		LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
	}}
	_, err := p.Client().AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &four,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	eventually(t, soon, fmt.Sprintf("%d of 4 pods placed, the others refused", want), func() error {
		pods, err := p.Client().CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return err
		}
		bound, refused := 0, 0
		for _, pod := range pods.Items {
			if pod.Spec.NodeName != "" {
				bound++
				continue
			}
			for _, c := range pod.Status.Conditions {
				if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
					refused++
				}
			}
		}
		if bound != want || bound+refused != 4 {
			return fmt.Errorf("%d placed, %d refused", bound, refused)
		}
		return nil
	})
}

// Row: topology spread over host names counts it.
func TestClusterSpreadPassesByDevice(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	for _, c := range []struct {
		name, config string
		placed       int
	}{
		{"default", "", 4},
		{"with-label", "registerHostnameLabel: true\n", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config, selector := group(t)
			name := nodeName(t)
			start(t, p, options{name: name, config: config + c.config})
			node := waitSettled(t, p, name)
			if _, found := node.Labels[corev1.LabelHostname]; found != (c.config != "") {
				t.Errorf("labels %v", node.Labels)
			}
			for _, worker := range []string{"-worker-1", "-worker-2"} {
				_, labels := group(t)
				fakeWorker(t, p, name+worker, labels)
			}
			spread(t, p, name, selector, c.placed)
		})
	}
}

// Row: dead devices make their zone look half dead.
func TestClusterDevicesHaveTheirOwnZone(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	worker := &corev1.Node{}
	for _, c := range []struct {
		name, config, region string
	}{
		{"default", "", "kubemote-devices"},
		{"named", "region: plant-7\n", "plant-7"},
		{"none", "region: \"\"\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start(t, p, options{config: c.config})
			node := waitReady(t, p, nodeName(t))
			if got := node.Labels[corev1.LabelTopologyRegion]; got != c.region {
				t.Errorf("region %q", got)
			}
			// The node lifecycle controller judges zones by this key.
			apart := topology.GetZoneKey(node) != topology.GetZoneKey(worker)
			if apart != (c.region != "") {
				t.Errorf("zone key %q, an ordinary node's is %q", topology.GetZoneKey(node), topology.GetZoneKey(worker))
			}
		})
	}
}

// What the zone is for: three devices and a worker are dead. In a zone of their
// own the devices do not count, and the worker's pods are evicted; in one zone
// with them the controller takes the zone for cut off and evicts nothing.
func TestClusterDeadDevicesDoNotStopEvictions(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	for _, c := range []struct {
		name, config string
		evicted      bool
	}{
		{"own-zone", "", true},
		{"one-zone", "region: one-zone\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := nodeName(t)
			region := func() map[string]string { return map[string]string{corev1.LabelTopologyRegion: c.name} }
			fakeWorker(t, p, name+"-lives", region())
			die := fakeWorker(t, p, name+"-dies", region())
			devices := []string{name + "-1", name + "-2", name + "-3"}
			killDevices(t, p, devices, c.config)
			die()
			waitReadyStatus(t, p, name+"-dies", corev1.ConditionUnknown, unknownWithin)
			evicting := func() bool { return hasTaintEffect(getNode(t, p, name+"-dies"), corev1.TaintEffectNoExecute) }
			if c.evicted {
				eventually(t, 2*soon, "the eviction", func() error {
					if !evicting() {
						return fmt.Errorf("no NoExecute taint")
					}
					return nil
				})
				return
			}
			stays(t, 25*time.Second, "no eviction", func() error {
				if evicting() {
					return fmt.Errorf("a zone with devices evicts: the page on clusters says it does not")
				}
				return nil
			})
		})
	}
}

// killDevices starts agents, ends them as a power cut does and waits until the
// cluster knows.
func killDevices(t *testing.T, p *plane.Plane, names []string, config string) {
	t.Helper()
	var running []*agent
	for _, name := range names {
		running = append(running, start(t, p, options{name: name, config: config}))
		waitReady(t, p, name)
	}
	for _, a := range running {
		a.kill()
	}
	for _, name := range names {
		waitReadyStatus(t, p, name, corev1.ConditionUnknown, unknownWithin)
	}
}

func hasTaintEffect(node *corev1.Node, effect corev1.TaintEffect) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Effect == effect {
			return true
		}
	}
	return false
}

// Row: load balancers take it as a back end.
func TestClusterLoadBalancersPassByDevice(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	for config, excluded := range map[string]bool{"": true, "excludeFromLoadBalancers: false\n": false} {
		t.Run(fmt.Sprintf("excluded-%v", excluded), func(t *testing.T) {
			t.Parallel()
			start(t, p, options{config: config})
			node := waitReady(t, p, nodeName(t))
			if _, found := node.Labels[corev1.LabelNodeExcludeBalancers]; found != excluded {
				t.Errorf("labels %v", node.Labels)
			}
		})
	}
}

// Row: tools refuse a Node whose version is too far from the server's.
func TestClusterVersionIsTheServersMinor(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	start(t, p, options{})
	node := waitReady(t, p, nodeName(t))
	info, err := p.Client().Discovery().ServerVersion()
	check(t, err)
	server, err := utilversion.ParseSemantic(info.GitVersion)
	check(t, err)
	ours, err := utilversion.ParseSemantic(node.Status.NodeInfo.KubeletVersion)
	check(t, err)
	if ours.Major() != server.Major() || ours.Minor() != server.Minor() {
		t.Errorf("kubeletVersion %s, the server is %s", node.Status.NodeInfo.KubeletVersion, info.GitVersion)
	}
	if want := "kubemote." + version(t); ours.PreRelease() != want {
		t.Errorf("kubeletVersion %s, want it to end in %s", node.Status.NodeInfo.KubeletVersion, want)
	}
}

// Row: a pod that is bound to it and deleted stays Terminating.
func TestClusterDeletedPodsVanish(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	start(t, p, options{})
	waitReady(t, p, name)
	finishesPods(t, p, name, name, soon)
}

// A namespace with such pods can be deleted; the pods of other nodes are left
// alone.
func TestClusterNamespaceDeletionCompletes(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	start(t, p, options{})
	waitReady(t, p, name)
	newNamespace(t, p, name)
	for i := range 5 {
		makePod(t, p, name, fmt.Sprintf("pod-%d", i), name)
	}
	other := name + "-elsewhere"
	fakeWorker(t, p, other, map[string]string{})
	makePod(t, p, "default", other, other)
	deletePod(t, p, "default", other)
	check(t, p.Client().CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}))
	eventually(t, 2*soon, "the namespace's end", func() error {
		list, err := p.Client().CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("it is %s", list.Items[0].Status.Phase)
		}
		return err
	})
	if err := podGone(t, p, "default", other); err == nil {
		t.Errorf("another node's pod is gone")
	}
}

// finishPods: false leaves them to somebody else.
func TestClusterDeletedPodsAreLeftWhenConfigured(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	start(t, p, options{config: "finishPods: false\n"})
	waitReady(t, p, name)
	makePod(t, p, "default", name, name)
	deletePod(t, p, "default", name)
	stays(t, 10*time.Second, "the pod", func() error {
		if podGone(t, p, "default", name) == nil {
			return fmt.Errorf("it is gone")
		}
		return nil
	})
}
