// SPDX-License-Identifier: Apache-2.0

package plane_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/plane"
)

// TestPlane goes through what does not disturb the plane, on a single one.
func TestPlane(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{Scheduler: true, TokenNodes: []string{"token-node"}})
	for _, c := range []struct {
		name string
		test func(*testing.T, *plane.Plane)
	}{
		{"SaysItsVersion", saysItsVersion},
		{"KubectlWorks", kubectlWorks},
		{"NodeMayCreateItselfOnly", nodeMayCreateItselfOnly},
		{"NodeRenewsItsLeaseOnly", nodeRenewsItsLeaseOnly},
		{"DeadNodeTurnsUnknown", deadNodeTurnsUnknown},
		{"SchedulerBindsPods", schedulerBindsPods},
		{"Identities", identities},
		{"AnswersOnEveryLoopbackAddress", answersOnEveryLoopbackAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, p)
		})
	}
}

func saysItsVersion(t *testing.T, p *plane.Plane) {
	got, err := p.Client().Discovery().ServerVersion()
	check(t, err)
	if got.GitVersion != "v1.36.3" || got.Major != "1" || got.Minor != "36" {
		t.Fatalf("the server says %s (%s.%s)", got.GitVersion, got.Major, got.Minor)
	}
}

func kubectl(t *testing.T, p *plane.Plane, args ...string) string {
	t.Helper()
	config, err := p.AdminKubeconfig(plane.KubeconfigOptions{})
	check(t, err)
	program, err := plane.Binary()
	check(t, err)
	cmd := exec.Command(program, append([]string{"kubectl", "--kubeconfig", config}, args...)...)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func kubectlWorks(t *testing.T, p *plane.Plane) {
	out := kubectl(t, p, "version")
	for _, want := range []string{"Client Version: v1.36.3", "Server Version: v1.36.3"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out = kubectl(t, p, "get", "namespaces", "-o", "name")
	if !strings.Contains(out, "namespace/kube-node-lease\n") {
		t.Errorf("no kube-node-lease in\n%s", out)
	}
}

func nodeMayCreateItselfOnly(t *testing.T, p *plane.Plane) {
	nodes := nodeClient(t, p, "self").CoreV1().Nodes()
	if _, err := nodes.Create(t.Context(), readyNode("self"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := nodes.Create(t.Context(), readyNode("other"), metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Fatalf("creating another node: %v, want 403", err)
	}
	_, err = nodes.Get(t.Context(), "other", metav1.GetOptions{})
	if !apierrors.IsForbidden(err) {
		t.Fatalf("reading another node: %v, want 403", err)
	}
}

func nodeRenewsItsLeaseOnly(t *testing.T, p *plane.Plane) {
	client := nodeClient(t, p, "leaseholder")
	mine, err := client.CoordinationV1().Leases(leases).Create(t.Context(), newLease("leaseholder"), metav1.CreateOptions{})
	check(t, err)
	before := *mine.Spec.RenewTime
	after := renew(t, client, mine)
	if !after.Spec.RenewTime.After(before.Time) {
		t.Fatalf("renewed at %v, before that at %v", after.Spec.RenewTime, before)
	}
	_, err = client.CoordinationV1().Leases(leases).Create(t.Context(), newLease("other"), metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Fatalf("creating another node's lease: %v, want 403", err)
	}
}

// deadNodeTurnsUnknown renews every 10.4 s, the longest time between two
// renewals that the kubelet's jitter allows, and then no more.
func deadNodeTurnsUnknown(t *testing.T, p *plane.Plane) {
	const name = "mortal"
	client := nodeClient(t, p, name)
	_, err := client.CoreV1().Nodes().Create(t.Context(), readyNode(name), metav1.CreateOptions{})
	check(t, err)
	lease, err := client.CoordinationV1().Leases(leases).Create(t.Context(), newLease(name), metav1.CreateOptions{})
	check(t, err)
	for range 2 {
		for end := time.Now().Add(10400 * time.Millisecond); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			if got := readyOf(t, p, name); got != corev1.ConditionTrue {
				t.Fatalf("a living node is Ready=%s", got)
			}
		}
		lease = renew(t, client, lease)
	}
	died := time.Now()
	for readyOf(t, p, name) != corev1.ConditionUnknown {
		if time.Since(died) > 25*time.Second {
			t.Fatal("a dead node is not Unknown after 25 s")
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("Unknown %.1f s after the last renewal", time.Since(died).Seconds())
}

// schedulerBindsPods needs a Node only in name.
func schedulerBindsPods(t *testing.T, p *plane.Plane) {
	node := readyNode("roomy")
	node.Labels = map[string]string{"room": "yes"}
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("10")}
	node.Status.Capacity = node.Status.Allocatable
	_, err := nodeClient(t, p, "roomy").CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
	check(t, err)
	pods := p.Client().CoreV1().Pods("default")
	_, err = pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "guest"},
		Spec: corev1.PodSpec{
			NodeSelector: node.Labels,
			Containers:   []corev1.Container{{Name: "c", Image: "none.invalid/none"}},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		pod, err := pods.Get(t.Context(), "guest", metav1.GetOptions{})
		check(t, err)
		if pod.Spec.NodeName == "roomy" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not bound: %+v", pod.Status.Conditions)
		}
	}
}

func identities(t *testing.T, p *plane.Plane) {
	var o plane.KubeconfigOptions
	inFiles := plane.KubeconfigOptions{Files: true}
	byToken := plane.KubeconfigOptions{Token: p.NodeToken("token-node")}
	byTokenInFiles := plane.KubeconfigOptions{Token: byToken.Token, Files: true}
	bootstrap, err := p.BootstrapKubeconfig(t.Context(), o)
	check(t, err)
	account, err := p.ServiceAccountKubeconfig(t.Context(), "devices", "box", o)
	check(t, err)
	for _, c := range []struct{ path, want string }{
		{path(t)(p.AdminKubeconfig(o)), "kubernetes-admin"},
		{path(t)(p.NodeKubeconfig("n", o)), "system:node:n"},
		{path(t)(p.NodeKubeconfig("n", inFiles)), "system:node:n"},
		{path(t)(p.NodeKubeconfig("token-node", byToken)), "system:node:token-node"},
		{path(t)(p.NodeKubeconfig("token-node", byTokenInFiles)), "system:node:token-node"},
		{account, "system:serviceaccount:devices:box"},
	} {
		if got := whoAmI(t, c.path); got != c.want {
			t.Errorf("%s: the server sees %q, want %q", c.path, got, c.want)
		}
	}
	if got := whoAmI(t, bootstrap); !strings.HasPrefix(got, "system:bootstrap:") {
		t.Errorf("%s: the server sees %q", bootstrap, got)
	}
}

func path(t *testing.T) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		check(t, err)
		return s
	}
}

func answersOnEveryLoopbackAddress(t *testing.T, p *plane.Plane) {
	hosts := []string{"127.0.0.1", "localhost"}
	if plane.HasIPv6() {
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		path, err := p.AdminKubeconfig(plane.KubeconfigOptions{Server: p.URLFor(host)})
		check(t, err)
		if got := whoAmI(t, path); got != "kubernetes-admin" {
			t.Errorf("on %s the server sees %q", host, got)
		}
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{})
	pids := p.PIDs()
	if len(pids) != 3 {
		t.Fatalf("processes %v, want etcd, apiserver and controller-manager", pids)
	}
	p.Stop()
	waitGone(t, pids)
	if _, err := os.Stat(p.Dir()); !os.IsNotExist(err) {
		t.Fatalf("the folder is still there: %v", err)
	}
}

func TestUnexpectedEndIsReported(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	proc, err := os.FindProcess(p.PIDs()["apiserver"])
	check(t, err)
	check(t, proc.Kill())
	select {
	case err := <-p.Dead():
		if !strings.Contains(fmt.Sprint(err), "apiserver") {
			t.Fatalf("reported: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was reported")
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]plane.Options{
		"key type":     {Keys: "dsa"},
		"certificate":  {Serving: "shiny"},
		"TLS version":  {TLSMin: 0x0301},
		"program":      {Binary: "/no/such/program"},
		"flag of etcd": {EtcdArgs: []string{"--no-such-flag"}},
	} {
		p, err := plane.Start(t.Context(), o)
		if err == nil {
			p.Stop()
			t.Errorf("wrong %s: no error", name)
		}
	}
}
