// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kubemote.io/tests/cluster/plane"
)

// renewals records the times that a lease says it was renewed at.
func renewals(t *testing.T, p *plane.Plane, name string) func() []time.Time {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w, err := p.Client().CoordinationV1().Leases(leaseNamespace).Watch(ctx,
		metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	check(t, err)
	var mu sync.Mutex
	var times []time.Time
	go func() {
		for event := range w.ResultChan() {
			lease, ok := event.Object.(*coordinationv1.Lease)
			if !ok || lease.Spec.RenewTime == nil {
				continue
			}
			mu.Lock()
			if at := lease.Spec.RenewTime.Time; len(times) == 0 || at.After(times[len(times)-1]) {
				times = append(times, at)
			}
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		w.Stop()
	})
	return func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return append([]time.Time(nil), times...)
	}
}

// 40 s long, renewed every 10 s and up to 4 % later, owned by the Node.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	start(t, p, options{})
	node := waitReady(t, p, name)
	lease := waitLease(t, p, name)
	if got := *lease.Spec.LeaseDurationSeconds; got != 40 {
		t.Errorf("%d s long", got)
	}
	if got := *lease.Spec.HolderIdentity; got != name {
		t.Errorf("held by %s", got)
	}
	if len(lease.OwnerReferences) != 1 || lease.OwnerReferences[0].UID != node.UID ||
		lease.OwnerReferences[0].Kind != "Node" || lease.OwnerReferences[0].Name != name {
		t.Errorf("owned by %+v", lease.OwnerReferences)
	}
	times := renewals(t, p, name)
	eventually(t, 90*time.Second, "five renewals", func() error {
		if n := len(times()); n < 5 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	all := times()
	for i := 1; i < len(all); i++ {
		// The time is taken when the request is written; a busy machine comes
		// late to it, never early.
		if gap := all[i].Sub(all[i-1]); gap < 9990*time.Millisecond || gap > 13*time.Second {
			t.Errorf("renewed %s after the time before", gap)
		}
	}
	if after := waitLease(t, p, name); after.UID != lease.UID {
		t.Errorf("another lease: %s, was %s", after.UID, lease.UID)
	}
}

// Another writer makes the next renewal a conflict; what it wrote stays.
func TestLeaseSurvivesOtherWriters(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	start(t, p, options{})
	node := waitReady(t, p, name)
	waitLease(t, p, name)
	leases := p.Client().CoordinationV1().Leases(leaseNamespace)
	change := func(body string) time.Time {
		_, err := leases.Patch(t.Context(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{})
		check(t, err)
		return time.Now()
	}

	at := change(`{"metadata":{"annotations":{"example.com/note":"kept"},"ownerReferences":null}}`)
	lease := waitRenewal(t, p, name, at, soon)
	if lease.Annotations["example.com/note"] != "kept" {
		t.Errorf("annotations %v", lease.Annotations)
	}
	if len(lease.OwnerReferences) != 1 || lease.OwnerReferences[0].UID != node.UID {
		t.Errorf("owners %v", lease.OwnerReferences)
	}
	conflicts := only(shared.audit.ofNode(t, name), func(e *auditEvent) bool {
		return e.is("patch", "leases") && e.ResponseStatus.Code == 409
	})
	if len(conflicts) != 1 {
		t.Errorf("%d conflicts: the renewal must carry the resourceVersion", len(conflicts))
	}

	check(t, leases.Delete(t.Context(), name, metav1.DeleteOptions{}))
	again := waitLease(t, p, name)
	if again.UID == lease.UID || *again.Spec.LeaseDurationSeconds != 40 || *again.Spec.HolderIdentity != name ||
		len(again.OwnerReferences) != 1 {
		t.Errorf("made again as %+v", again)
	}
	waitRenewal(t, p, name, again.Spec.RenewTime.Time, soon)
	if err := isReady(t, p, name); err != nil {
		t.Error(err)
	}
}

// A write of the Node that hangs in the server holds the lease up for as long
// as one write may take, not for as long as it hangs.
func TestLeaseIsRenewedBesideAStuckWrite(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	f := newFront(t, p, name)
	a := start(t, p, options{kubeconfig: f.kubeconfig(t, p, name)})
	waitSettled(t, p, name)
	waitLease(t, p, name)
	times := renewals(t, p, name)
	f.stick("PATCH", "/nodes/"+name+"/status")
	patchNode(t, p, name, map[string]any{"metadata": map[string]any{"labels": map[string]any{"topology.kubernetes.io/region": "elsewhere"}}})
	patchNode(t, p, name, map[string]any{"status": map[string]any{"capacity": map[string]string{"cpu": "77"}}}, "status")
	waitRenewal(t, p, name, time.Now(), soon)
	time.Sleep(50 * time.Second)
	all := append([]time.Time(nil), times()...)
	if len(all) < 3 {
		t.Fatalf("%d renewals in a minute", len(all))
	}
	for i := 1; i < len(all); i++ {
		// 10 s between two renewals, 10 s for the stuck write, and as much again
		// for a machine under load. The lease lasts 40 s.
		if gap := all[i].Sub(all[i-1]); gap > 30*time.Second {
			t.Errorf("no renewal for %s", gap)
		}
	}
	a.waitLine(soon, "can't be")
	f.stick("", "")
	eventually(t, 2*soon, "our status", func() error {
		node, err := findNode(t, p, name)
		if err == nil && node.Status.Capacity.Cpu().Value() == 77 {
			err = fmt.Errorf("capacity %v", node.Status.Capacity)
		}
		return err
	})
	worksAgain(t, p, a, name, 2*soon)
}

// The lease goes with its Node.
func TestLeaseIsCollectedWithTheNode(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	a := start(t, p, options{})
	waitReady(t, p, name)
	waitLease(t, p, name)
	a.stop()
	check(t, p.Client().CoreV1().Nodes().Delete(t.Context(), name, metav1.DeleteOptions{}))
	eventually(t, 2*soon, "no lease", func() error {
		_, err := findLease(t, p, name)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("it is there"))
	})
}

// The periods can be configured.
func TestLeasePeriodsFollowConfiguration(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	start(t, p, options{config: "leaseDurationSeconds: 8\nleaseRenewSeconds: 2\n"})
	lease := waitLease(t, p, name)
	if got := *lease.Spec.LeaseDurationSeconds; got != 8 {
		t.Errorf("%d s long", got)
	}
	times := renewals(t, p, name)
	time.Sleep(11 * time.Second)
	if n := len(times()); n < 3 || n > 7 {
		t.Errorf("%d renewals in 11 s", n)
	}
}
