// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Node that is deleted by hand comes back whole, after a while, with an
// event that says so; the lease gets the new owner.
func TestDeletedNodeIsMadeAgain(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	a := start(t, p, options{config: "labels: {example.com/rack: a7}\n"})
	before := waitSettled(t, p, name)
	waitLease(t, p, name)
	from := time.Now()
	check(t, p.Client().CoreV1().Nodes().Delete(t.Context(), name, metav1.DeleteOptions{}))
	eventually(t, soon, "the Node", func() error { return isReady(t, p, name) })
	if took := time.Since(from); took < 9*time.Second {
		t.Errorf("back after %s: the one who deleted it has no time to stop the agent", took)
	}
	node := getNode(t, p, name)
	if node.UID == before.UID {
		t.Fatal("it was not deleted")
	}
	if !hasTaint(node, deviceTaint) || node.Labels["example.com/rack"] != "a7" {
		t.Errorf("made again with taints %v and labels %v", node.Spec.Taints, node.Labels)
	}
	event := waitEvent(t, p, name, "NodeRecreated")
	if event.Regarding.Kind != "Node" || event.Regarding.UID != node.UID || event.Type != "Normal" {
		t.Errorf("event %+v", event)
	}
	eventually(t, 2*soon, "the lease's new owner", func() error {
		lease, err := findLease(t, p, name)
		if err == nil && (len(lease.OwnerReferences) != 1 || lease.OwnerReferences[0].UID != node.UID) {
			err = fmt.Errorf("owners %v", lease.OwnerReferences)
		}
		return err
	})
	a.mustRun()
	finishesPods(t, p, name, name, soon)
}

// recreateNode: false leaves it deleted; made again by hand, it is taken over.
func TestDeletedNodeStaysDeletedWhenConfigured(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	a := start(t, p, options{config: "recreateNode: false\n"})
	waitSettled(t, p, name)
	check(t, p.Client().CoreV1().Nodes().Delete(t.Context(), name, metav1.DeleteOptions{}))
	a.waitLine(soon, "recreateNode is off")
	stays(t, 25*time.Second, "no Node", func() error {
		_, err := findNode(t, p, name)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("it is there"))
	})
	a.mustRun()
	if said := a.lines("recreateNode is off"); len(said) != 1 {
		t.Errorf("said %d times", len(said))
	}
	posts := only(shared.audit.ofNode(t, name), func(e *auditEvent) bool { return e.is("create", "nodes") })
	if len(posts) != 1 {
		t.Errorf("%d registrations", len(posts))
	}
	fakeNode(t, p, name)
	eventually(t, soon, "the Node taken over", func() error { return isReady(t, p, name) })
}
