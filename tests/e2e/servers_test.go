// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/plane"
)

// rightWithin is for the cache to be right again after the server came back
// with another store.
const rightWithin = 4 * time.Minute

// The server goes and comes back in each way; the agent goes on in the same
// process with the same Node.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	p := ownPlane(t, plane.Options{
		// Each Node takes a pod network of its own where the cluster gives them
		// out: docs/CLUSTER.md.
		ControllerManagerArgs: []string{"--allocate-node-cidrs=true", "--cluster-cidr=10.240.0.0/16"},
	})
	name := nodeName(t)
	a := start(t, p, options{})
	before := waitSettled(t, p, name)
	waitLease(t, p, name)
	if before.Spec.PodCIDR == "" {
		t.Errorf("the Node took no pod network: the page on clusters says it does")
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"in good order", func() error { return p.RestartAPIServer(t.Context()) }},
		{"by a crash", func() error { p.KillAPIServer(); return p.StartAPIServer(t.Context()) }},
		{"after it hung", func() error { p.PauseAPIServer(); time.Sleep(25 * time.Second); p.ResumeAPIServer(); return nil }},
		{"without its store", func() error { p.StopEtcd(); time.Sleep(15 * time.Second); return p.StartEtcd(t.Context()) }},
	} {
		t.Logf("the server comes back %s", step.name)
		check(t, step.run())
		worksAgain(t, p, a, fmt.Sprintf("%s-%d", name, time.Now().Unix()), 2*soon)
	}
	patchNode(t, p, name, map[string]any{"metadata": map[string]any{"labels": map[string]any{"topology.kubernetes.io/region": "elsewhere"}}})
	eventually(t, soon, "the region label", func() error { return hasRegion(t, p, name) })
	if after := getNode(t, p, name); after.UID != before.UID {
		t.Errorf("another Node: %s, was %s", after.UID, before.UID)
	}
	a.stop()
}

func hasRegion(t *testing.T, p *plane.Plane, name string) error {
	node, err := findNode(t, p, name)
	if err == nil && node.Labels[corev1.LabelTopologyRegion] != "kubemote-devices" {
		err = fmt.Errorf("labels %v", node.Labels)
	}
	return err
}

// cachedPods waits until the agent says that it knows so many pods; it says so
// every 15 s.
func cachedPods(t *testing.T, a *agent, want int, limit time.Duration) {
	t.Helper()
	since := a.metric("kubemote_time_seconds")
	eventually(t, limit, fmt.Sprintf("%d pods in the cache", want), func() error {
		got, at := a.metric(`kubemote_pool_used{pool="pod_cache"}`), a.metric("kubemote_time_seconds")
		if at <= since || got != float64(want) {
			return fmt.Errorf("it holds %v", got)
		}
		return nil
	})
}

func bindPods(t *testing.T, p *plane.Plane, node, prefix string, n int) {
	t.Helper()
	for i := range n {
		makePod(t, p, "default", fmt.Sprintf("%s-%d", prefix, i), node)
	}
}

// forward makes the store's version move on.
func forward(t *testing.T, p *plane.Plane, by int) {
	t.Helper()
	for i := range by {
		_, err := p.Client().CoreV1().ConfigMaps("default").Create(t.Context(),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "forward-"}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
	}
}

func waitAccounts(t *testing.T, p *plane.Plane) {
	t.Helper()
	eventually(t, 2*soon, "the service account that pods need", func() error {
		_, err := p.Client().CoreV1().ServiceAccounts("default").Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
}

// The store is put back to an older copy, first one with this Node, then one
// from before it, and is empty at last: each time the Node is there again and
// the cache holds what the store holds.
func TestStoreIsReplaced(t *testing.T) {
	t.Parallel()
	p := ownPlane(t, plane.Options{})
	name := nodeName(t)
	waitAccounts(t, p)
	without, err := p.SnapshotEtcd(t.Context())
	check(t, err)

	a := start(t, p, options{config: "labels: {example.com/rack: a7}\n"})
	node := waitSettled(t, p, name)
	bindPods(t, p, name, "early", 3)
	with, err := p.SnapshotEtcd(t.Context())
	check(t, err)
	bindPods(t, p, name, "late", 4)
	forward(t, p, 300)
	cachedPods(t, a, 7, soon)

	check(t, p.RestoreEtcd(t.Context(), with))
	storeIsRight(t, p, a, 3)
	if got := getNode(t, p, name).UID; got != node.UID {
		t.Errorf("the restored Node was made anew: %s, was %s", got, node.UID)
	}
	deletePod(t, p, "default", "early-0")
	eventually(t, soon, "a restored pod's end", func() error { return podGone(t, p, "default", "early-0") })

	forward(t, p, 300)
	check(t, p.RestoreEtcd(t.Context(), without))
	storeIsRight(t, p, a, 0)
	bindPods(t, p, name, "again", 2)
	cachedPods(t, a, 2, soon)

	check(t, p.WipeEtcd(t.Context()))
	storeIsRight(t, p, a, 0)
	if !hasTaint(getNode(t, p, name), deviceTaint) {
		t.Errorf("made again without its taint")
	}
	a.stop()
}

// storeIsRight waits until the agent has caught up with another store.
func storeIsRight(t *testing.T, p *plane.Plane, a *agent, pods int) {
	t.Helper()
	began := time.Now()
	left := func() time.Duration { return rightWithin - time.Since(began) }
	eventually(t, left(), "the Node", func() error { return isReady(t, p, a.name) })
	t.Logf("Ready in another store after %.1f s", time.Since(began).Seconds())
	cachedPods(t, a, pods, left())
	t.Logf("cache right after %.1f s, of which up to 15 s for the agent to say so", time.Since(began).Seconds())
	node := getNode(t, p, a.name)
	eventually(t, left(), "the lease and its owner", func() error {
		lease, err := findLease(t, p, a.name)
		if err == nil && (len(lease.OwnerReferences) != 1 || lease.OwnerReferences[0].UID != node.UID) {
			err = fmt.Errorf("owners %v, the Node is %s", lease.OwnerReferences, node.UID)
		}
		return err
	})
	waitAccounts(t, p)
	worksAgain(t, p, a, fmt.Sprintf("%s-%d", a.name, time.Now().Unix()), left())
}

// A watch that ended in good order resumes at its version. When the server has
// forgotten that version meanwhile it says 410, and the agent lists anew.
func TestCompactedWhileCutOff(t *testing.T) {
	t.Parallel()
	p := ownPlane(t, plane.Options{})
	name := nodeName(t)
	waitAccounts(t, p)
	f := newFront(t, p, name)
	a := start(t, p, options{kubeconfig: f.kubeconfig(t, p, name)})
	waitSettled(t, p, name)
	bindPods(t, p, name, "early", 3)
	cachedPods(t, a, 3, soon)

	// Nothing was lost: plain watches go on where the others ended.
	from := f.counts()
	f.endWatches()
	f.waitPlainWatches(t, from)

	f.stall()
	pods := p.Client().CoreV1().Pods("default")
	check(t, pods.Delete(t.Context(), "early-0", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	patchNode(t, p, name, map[string]any{"metadata": map[string]any{"labels": map[string]any{"topology.kubernetes.io/region": "elsewhere"}}})
	forward(t, p, 150)
	_, err := p.CompactEtcd(t.Context())
	check(t, err)
	check(t, p.RestartAPIServer(t.Context()))
	f.endWatches()
	eventually(t, rightWithin, "the region label", func() error { return hasRegion(t, p, name) })
	cachedPods(t, a, 2, rightWithin)
	a.stop()
	expired := a.lines("The server can't resume from our resourceVersion", "Expired")
	if len(expired) == 0 {
		t.Errorf("the server never said that the version is gone; the agent says\n%s", lastLines(a.log(), 20))
	}
}

// The same good end, and the store is put back to an older copy meanwhile: a
// plain watch from a version of the future is answered by silence for ever.
func TestRestoredWhileCutOff(t *testing.T) {
	t.Parallel()
	p := ownPlane(t, plane.Options{})
	name := nodeName(t)
	waitAccounts(t, p)
	f := newFront(t, p, name)
	a := start(t, p, options{kubeconfig: f.kubeconfig(t, p, name)})
	waitSettled(t, p, name)
	bindPods(t, p, name, "early", 3)
	snapshot, err := p.SnapshotEtcd(t.Context())
	check(t, err)
	bindPods(t, p, name, "late", 4)
	forward(t, p, 500)
	// Both resources are known at a version that the restored store does not have.
	patchNode(t, p, name, map[string]any{"metadata": map[string]any{"annotations": map[string]any{"example.com/late": "yes"}}})
	bindPods(t, p, name, "latest", 1)
	cachedPods(t, a, 8, soon)

	f.stall()
	check(t, p.RestoreEtcd(t.Context(), snapshot))
	from := f.counts()
	f.endWatches()
	f.waitPlainWatches(t, from)
	storeIsRight(t, p, a, 3)
	a.stop()
}

// Watches that fall silent on a link that lives, while writes go through: the
// age of the last bookmark tells.
func TestSilentWatchesAreDropped(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	f := newFront(t, p, name)
	a := start(t, p, options{kubeconfig: f.kubeconfig(t, p, name)})
	waitSettled(t, p, name)
	makePod(t, p, "default", name, name)
	f.stall()
	from := time.Now()
	deletePod(t, p, "default", name)
	patchNode(t, p, name, map[string]any{"metadata": map[string]any{"labels": map[string]any{"topology.kubernetes.io/region": "elsewhere"}}})
	eventually(t, rightWithin, "the region label", func() error { return hasRegion(t, p, name) })
	eventually(t, rightWithin, "the pod's end", func() error { return podGone(t, p, "default", name) })
	took := time.Since(from)
	t.Logf("right again after %.1f s", took.Seconds())
	if took > 150*time.Second+30*time.Second {
		t.Errorf("right again after %s", took)
	}
	if err := isReady(t, p, name); err != nil {
		t.Error(err)
	}
	check(t, count(a, 0, "The lease can't be renewed"))
}
