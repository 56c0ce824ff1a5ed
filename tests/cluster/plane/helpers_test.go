// SPDX-License-Identifier: Apache-2.0

package plane_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"kubemote.io/tests/cluster/plane"
)

const leases = "kube-node-lease"

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func configOf(t *testing.T, path string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", path)
	check(t, err)
	config.QPS = -1
	config.Timeout = 30 * time.Second
	return config
}

func clientOf(t *testing.T, path string) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(configOf(t, path))
	check(t, err)
	return client
}

func nodeClient(t *testing.T, p *plane.Plane, name string) kubernetes.Interface {
	t.Helper()
	path, err := p.NodeKubeconfig(name, plane.KubeconfigOptions{})
	check(t, err)
	return clientOf(t, path)
}

// whoAmI is the user name that the API server sees.
func whoAmI(t *testing.T, path string) string {
	t.Helper()
	review := &authenticationv1.SelfSubjectReview{}
	got, err := clientOf(t, path).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), review, metav1.CreateOptions{})
	check(t, err)
	return got.Status.UserInfo.Username
}

func readyNode(name string) *corev1.Node {
	now := metav1.Now()
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Test",
			LastHeartbeatTime: now, LastTransitionTime: now,
		}}},
	}
}

func newLease(name string) *coordinationv1.Lease {
	seconds, now := int32(40), metav1.NowMicro()
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: leases},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &name, LeaseDurationSeconds: &seconds, RenewTime: &now,
		},
	}
}

func renew(t *testing.T, client kubernetes.Interface, lease *coordinationv1.Lease) *coordinationv1.Lease {
	t.Helper()
	now := metav1.NowMicro()
	lease.Spec.RenewTime = &now
	lease, err := client.CoordinationV1().Leases(leases).Update(t.Context(), lease, metav1.UpdateOptions{})
	check(t, err)
	return lease
}

func readyOf(t *testing.T, p *plane.Plane, name string) corev1.ConditionStatus {
	t.Helper()
	node, err := p.Client().CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
	check(t, err)
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status
		}
	}
	return ""
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func addConfigMap(t *testing.T, p *plane.Plane, name string) *corev1.ConfigMap {
	t.Helper()
	made, err := p.Client().CoreV1().ConfigMaps("default").Create(t.Context(), configMap(name), metav1.CreateOptions{})
	check(t, err)
	return made
}

func getConfigMap(ctx context.Context, p *plane.Plane, name string) error {
	_, err := p.Client().CoreV1().ConfigMaps("default").Get(ctx, name, metav1.GetOptions{})
	return err
}

// alive reports whether a process runs; one that is dead but not yet waited
// for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func waitGone(t *testing.T, pids map[string]int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for name, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("%s (%d) is still alive", name, pid)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
