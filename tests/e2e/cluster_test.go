// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"kubemote.io/tests/cluster/plane"
)

const (
	leaseNamespace = "kube-node-lease"
	// soon is the limit for what takes a moment. It is generous: two busy
	// cores are shared with control planes.
	soon = time.Minute
	// unknownWithin is for a silent node to be noticed by the controller
	// manager, whose grace time is 16 s.
	unknownWithin = 2 * time.Minute
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually calls f until it returns nil.
func eventually(t *testing.T, limit time.Duration, what string, f func() error) {
	t.Helper()
	began := time.Now()
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Since(began) > limit {
			t.Fatalf("%s: not after %s: %v", what, limit, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// stays fails as soon as f returns an error within the time.
func stays(t *testing.T, during time.Duration, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		if err := f(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// ---- nodes ----

func findNode(t *testing.T, p *plane.Plane, name string) (*corev1.Node, error) {
	return p.Client().CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
}

func getNode(t *testing.T, p *plane.Plane, name string) *corev1.Node {
	t.Helper()
	node, err := findNode(t, p, name)
	check(t, err)
	return node
}

func condition(node *corev1.Node, kind corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == kind {
			return &node.Status.Conditions[i]
		}
	}
	return nil
}

func readyStatus(node *corev1.Node) corev1.ConditionStatus {
	if c := condition(node, corev1.NodeReady); c != nil {
		return c.Status
	}
	return ""
}

func isReady(t *testing.T, p *plane.Plane, name string) error {
	node, err := findNode(t, p, name)
	if err != nil {
		return err
	}
	if status := readyStatus(node); status != corev1.ConditionTrue {
		return fmt.Errorf("node %s: Ready is %q", name, status)
	}
	return nil
}

func waitReady(t *testing.T, p *plane.Plane, name string) *corev1.Node {
	t.Helper()
	eventually(t, soon, "Ready", func() error { return isReady(t, p, name) })
	return getNode(t, p, name)
}

func waitReadyStatus(t *testing.T, p *plane.Plane, name string, want corev1.ConditionStatus, limit time.Duration) *corev1.Node {
	t.Helper()
	var node *corev1.Node
	eventually(t, limit, "Ready="+string(want), func() (err error) {
		if node, err = findNode(t, p, name); err != nil {
			return err
		}
		if got := readyStatus(node); got != want {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	return node
}

// waitSettled waits until the node is Ready and nobody changed it for a while.
func waitSettled(t *testing.T, p *plane.Plane, name string) *corev1.Node {
	t.Helper()
	node := waitReady(t, p, name)
	since := time.Now()
	eventually(t, soon, "no more changes", func() error {
		now, err := findNode(t, p, name)
		if err != nil {
			return err
		}
		if now.ResourceVersion != node.ResourceVersion {
			node, since = now, time.Now()
		}
		if time.Since(since) < 5*time.Second {
			return errors.New("it changed a moment ago")
		}
		return nil
	})
	return node
}

func hasTaint(node *corev1.Node, key string) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == key {
			return true
		}
	}
	return false
}

// patchNode is a merge patch by an administrator.
func patchNode(t *testing.T, p *plane.Plane, name string, patch any, subresources ...string) *corev1.Node {
	t.Helper()
	body, err := json.Marshal(patch)
	check(t, err)
	node, err := p.Client().CoreV1().Nodes().Patch(t.Context(), name, types.MergePatchType, body,
		metav1.PatchOptions{}, subresources...)
	check(t, err)
	return node
}

// setCondition writes one condition as another program would.
func setCondition(t *testing.T, p *plane.Plane, name string, c corev1.NodeCondition) *corev1.Node {
	t.Helper()
	body, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{c}}})
	check(t, err)
	node, err := p.Client().CoreV1().Nodes().Patch(t.Context(), name, types.StrategicMergePatchType, body,
		metav1.PatchOptions{}, "status")
	check(t, err)
	return node
}

// fakeNode makes a Node that has a name and nothing else.
func fakeNode(t *testing.T, p *plane.Plane, name string) {
	t.Helper()
	_, err := p.Client().CoreV1().Nodes().Create(t.Context(),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	check(t, err)
}

// seen is an event of a node with the time of its arrival here.
type seen struct {
	kind watch.EventType
	node *corev1.Node
	at   time.Time
}

// history is what a client-go watch told of one node.
type history struct {
	mu     sync.Mutex
	events []seen
}

// watchNode records from now on; the shared plane's watches are not broken.
func watchNode(t *testing.T, p *plane.Plane, name string) *history {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w, err := p.Client().CoreV1().Nodes().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	check(t, err)
	h := &history{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range w.ResultChan() {
			node, ok := event.Object.(*corev1.Node)
			if !ok {
				continue
			}
			h.mu.Lock()
			h.events = append(h.events, seen{event.Type, node, time.Now()})
			h.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		w.Stop()
		<-ended
	})
	return h
}

func (h *history) all() []seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]seen(nil), h.events...)
}

func (h *history) everUnknown() bool {
	return slices.ContainsFunc(h.all(), func(s seen) bool { return readyStatus(s.node) == corev1.ConditionUnknown })
}

// wait returns the first event from number `from` on that is wanted, and its
// number.
func (h *history) wait(t *testing.T, limit time.Duration, what string, from int, wanted func(seen) bool) (seen, int) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		events := h.all()
		for i := from; i < len(events); i++ {
			if wanted(events[i]) {
				return events[i], i
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not after %s, in %d events", what, limit, len(events)-from)
		}
	}
}

// ---- leases ----

func findLease(t *testing.T, p *plane.Plane, name string) (*coordinationv1.Lease, error) {
	return p.Client().CoordinationV1().Leases(leaseNamespace).Get(t.Context(), name, metav1.GetOptions{})
}

func waitLease(t *testing.T, p *plane.Plane, name string) *coordinationv1.Lease {
	t.Helper()
	var lease *coordinationv1.Lease
	eventually(t, soon, "a lease", func() (err error) {
		lease, err = findLease(t, p, name)
		return err
	})
	return lease
}

// waitRenewal waits for a renewal that was made after the time.
func waitRenewal(t *testing.T, p *plane.Plane, name string, after time.Time, limit time.Duration) *coordinationv1.Lease {
	t.Helper()
	var lease *coordinationv1.Lease
	eventually(t, limit, "a renewed lease", func() (err error) {
		if lease, err = findLease(t, p, name); err != nil {
			return err
		}
		if lease.Spec.RenewTime == nil || !lease.Spec.RenewTime.After(after) {
			return fmt.Errorf("renewed at %v", lease.Spec.RenewTime)
		}
		return nil
	})
	return lease
}

// keepAlive renews the lease of a node that has no agent, until the returned
// function or the end of the test.
func keepAlive(t *testing.T, p *plane.Plane, name string) (die func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	leases := p.Client().CoordinationV1().Leases(leaseNamespace)
	seconds, now := int32(40), metav1.NowMicro()
	lease, err := leases.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &name, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}, metav1.CreateOptions{})
	check(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(4 * time.Second):
			}
			body := fmt.Sprintf(`{"spec":{"renewTime":%q}}`, time.Now().UTC().Format(metav1.RFC3339Micro))
			leases.Patch(ctx, lease.Name, types.MergePatchType, []byte(body), metav1.PatchOptions{})
		}
	}()
	die = func() {
		cancel()
		<-ended
	}
	t.Cleanup(die)
	return die
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

// ---- pods ----

// bindPod makes a pod that is bound to a node past the scheduler.
func bindPod(ctx context.Context, p *plane.Plane, namespace, name, node string) error {
	grace, no := int64(30), false
	_, err := p.Client().CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			NodeName:                      node,
			TerminationGracePeriodSeconds: &grace,
			AutomountServiceAccountToken:  &no,
			Containers:                    []corev1.Container{{Name: "none", Image: "example.com/none"}},
			Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
	}, metav1.CreateOptions{})
	return err
}

func makePod(t *testing.T, p *plane.Plane, namespace, name, node string) {
	t.Helper()
	check(t, bindPod(t.Context(), p, namespace, name, node))
}

func deletePod(t *testing.T, p *plane.Plane, namespace, name string) {
	t.Helper()
	check(t, p.Client().CoreV1().Pods(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}))
}

func podGone(t *testing.T, p *plane.Plane, namespace, name string) error {
	_, err := p.Client().CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("pod %s is still there", name)
}

// finishesPods proves that the agent's view of its pods is right and that it
// may write: a pod that is bound to it and deleted vanishes.
func finishesPods(t *testing.T, p *plane.Plane, node, pod string, limit time.Duration) {
	t.Helper()
	makePod(t, p, "default", pod, node)
	deletePod(t, p, "default", pod)
	eventually(t, limit, "the pod's end", func() error { return podGone(t, p, "default", pod) })
}

// newNamespace makes one with the account that pods need.
func newNamespace(t *testing.T, p *plane.Plane, name string) {
	t.Helper()
	core := p.Client().CoreV1()
	_, err := core.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
		metav1.CreateOptions{})
	check(t, err)
	eventually(t, soon, "a service account", func() error {
		_, err := core.ServiceAccounts(name).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
}

// ---- events ----

// nodeEvents returns the agent's events about a node, by reason.
func nodeEvents(t *testing.T, p *plane.Plane, node, reason string) []eventsv1.Event {
	t.Helper()
	list, err := p.Client().EventsV1().Events("default").List(t.Context(), metav1.ListOptions{
		FieldSelector: "regarding.name=" + node + ",reason=" + reason})
	check(t, err)
	var ours []eventsv1.Event
	for _, e := range list.Items {
		if e.ReportingController == "kubemote.io/agent" {
			ours = append(ours, e)
		}
	}
	return ours
}

func waitEvent(t *testing.T, p *plane.Plane, node, reason string) eventsv1.Event {
	t.Helper()
	var found []eventsv1.Event
	eventually(t, soon, "event "+reason, func() error {
		if found = nodeEvents(t, p, node, reason); len(found) == 0 {
			return errors.New("there is none")
		}
		return nil
	})
	return found[0]
}
