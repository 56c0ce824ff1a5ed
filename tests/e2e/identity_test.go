// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/plane"
)

const serviceAccount = "system:serviceaccount:kubemote:agent"

var applying sync.Mutex

// applyManifest applies the RBAC manifest that the project ships, with kubectl.
func applyManifest(t *testing.T, p *plane.Plane) {
	t.Helper()
	// Two at a time would both create what neither finds.
	applying.Lock()
	defer applying.Unlock()
	kubectl, err := plane.Binary()
	check(t, err)
	admin, err := p.AdminKubeconfig(plane.KubeconfigOptions{})
	check(t, err)
	cmd := exec.Command(kubectl, "kubectl", "--kubeconfig", admin, "apply", "-f",
		filepath.Join(root, "docs/manifests/service-account.yaml"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The shipped rights are enough for all that the agent does, and for no more
// than the manifest says.
func TestServiceAccountWithShippedRights(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	applyManifest(t, p)
	config, err := p.ServiceAccountKubeconfig(t.Context(), "kubemote", "agent", plane.KubeconfigOptions{})
	check(t, err)
	a := start(t, p, options{kubeconfig: config})
	before := waitReady(t, p, name)
	lease := waitLease(t, p, name)
	if len(lease.OwnerReferences) != 1 || lease.OwnerReferences[0].UID != before.UID {
		t.Errorf("lease owned by %v", lease.OwnerReferences)
	}
	finishesPods(t, p, name, name, soon)
	setCondition(t, p, name, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown})
	waitReadyStatus(t, p, name, corev1.ConditionTrue, soon)
	check(t, p.Client().CoreV1().Nodes().Delete(t.Context(), name, metav1.DeleteOptions{}))
	waitReadyStatus(t, p, name, corev1.ConditionTrue, 2*soon)
	waitEvent(t, p, name, "NodeRecreated")
	waitRenewal(t, p, name, time.Now(), soon)
	a.stop()
	for _, e := range shared.audit.of(t, serviceAccount) {
		if e.ResponseStatus.Code == 403 {
			t.Errorf("forbidden: %s %s", e.Verb, e.RequestURI)
		}
	}
}

// boundToken is a token of the account that dies with a Secret.
func boundToken(t *testing.T, p *plane.Plane, secret string) string {
	t.Helper()
	core := p.Client().CoreV1()
	made, err := core.Secrets("kubemote").Create(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secret}}, metav1.CreateOptions{})
	check(t, err)
	hour := int64(3600)
	answer, err := core.ServiceAccounts("kubemote").CreateToken(t.Context(), "agent", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{
			ExpirationSeconds: &hour,
			BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Secret", APIVersion: "v1", Name: secret, UID: made.UID},
		}}, metav1.CreateOptions{})
	check(t, err)
	return answer.Status.Token
}

// replaceFile puts a new file in the place of the old one, as a kubelet does.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.WriteFile(path+".new", []byte(text), 0o600))
	check(t, os.Rename(path+".new", path))
}

// A token in a file is read again within a minute, before the old one dies.
func TestTokenFileIsReadAgain(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	applyManifest(t, p)
	_, err := p.ServiceAccountToken(t.Context(), "kubemote", "agent")
	check(t, err)
	first, second := boundToken(t, p, name+"-first"), boundToken(t, p, name+"-second")
	config, err := p.UserKubeconfig(plane.KubeconfigOptions{Token: first, Files: true}, "agent")
	check(t, err)
	a := start(t, p, options{kubeconfig: config})
	waitReady(t, p, name)
	replaceFile(t, config+".token", second+"\n")
	// 50 s after its first reading at the latest with the next renewal.
	time.Sleep(65 * time.Second)
	check(t, p.Client().CoreV1().Secrets("kubemote").Delete(t.Context(), name+"-first", metav1.DeleteOptions{}))
	// The server keeps its verdict on a token for some seconds.
	time.Sleep(15 * time.Second)
	waitRenewal(t, p, name, time.Now(), soon)
	finishesPods(t, p, name, name, soon)
	if said := a.lines("Unauthorized"); len(said) > 0 {
		t.Errorf("the old token was used: %s", said[0])
	}
	tokens := map[string]bool{}
	for _, e := range shared.audit.of(t, serviceAccount) {
		if e.ObjectRef.Name == name {
			tokens[strings.Join(e.User.Extra["authentication.kubernetes.io/credential-id"], "")] = true
		}
	}
	if len(tokens) != 2 {
		t.Errorf("%d tokens were used: %v", len(tokens), tokens)
	}
}

// A node certificate is good for its own Node only, and the agent says whom
// it was refused.
func TestNodeIdentityIsForItsOwnNode(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	config := nodeKubeconfig(t, p, "somebody-else", plane.KubeconfigOptions{})
	a := start(t, p, options{kubeconfig: config})
	line := a.waitLine(soon, "can't be registered")
	if !strings.Contains(line, "forbidden") && !strings.Contains(line, "not allowed") {
		t.Errorf("it says: %s", line)
	}
	time.Sleep(5 * time.Second)
	a.mustRun()
	if said := a.lines("can't be registered"); len(said) != 1 {
		t.Errorf("said %d times in one episode", len(said))
	}
	if _, err := findNode(t, p, name); err == nil {
		t.Errorf("the Node was made")
	}
}

// A machine's identity that comes back again and again is another machine
// under the same name: the agent says so and writes nothing more.
func TestForeignIdentityStopsTheAgent(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	a := start(t, p, options{})
	ours := waitSettled(t, p, name).Status.NodeInfo.MachineID
	foreign := func() {
		patchNode(t, p, name, map[string]any{"status": map[string]any{"nodeInfo": map[string]string{
			"machineID": "ffffffffffffffffffffffffffffffff", "bootID": "ffffffff-ffff-ffff-ffff-ffffffffffff"}}}, "status")
	}
	foreign()
	// The first time it may be a restored store.
	eventually(t, soon, "our identity", func() error {
		if got := getNode(t, p, name).Status.NodeInfo.MachineID; got != ours {
			return fmt.Errorf("machineID %s", got)
		}
		return nil
	})
	if err := isReady(t, p, name); err != nil {
		t.Error(err)
	}
	foreign()
	saysDuplicate(t, p, a)
	keepsSilent(t, p, a)
	if got := getNode(t, p, name).Status.NodeInfo.MachineID; got == ours {
		t.Errorf("it wrote its own identity again")
	}
}

func saysDuplicate(t *testing.T, p *plane.Plane, a *agent) {
	t.Helper()
	eventually(t, soon, "the condition", func() error {
		c := condition(getNode(t, p, a.name), "kubemote.io/DuplicateNode")
		if c == nil || c.Status != corev1.ConditionTrue {
			return fmt.Errorf("it is %+v", c)
		}
		return nil
	})
	if event := waitEvent(t, p, a.name, "DuplicateNode"); event.Type != "Warning" {
		t.Errorf("event %+v", event)
	}
	a.waitLine(soon, "Another machine runs under this node name")
}

// keepsSilent watches for a while that the agent runs and writes nothing.
func keepsSilent(t *testing.T, p *plane.Plane, a *agent) {
	t.Helper()
	time.Sleep(2 * time.Second)
	before := len(writes(t, a.name))
	time.Sleep(23 * time.Second)
	a.mustRun()
	if after := writes(t, a.name); len(after) != before {
		t.Errorf("it wrote %d times more, at last %s %s", len(after)-before, after[len(after)-1].Verb, after[len(after)-1].RequestURI)
	}
}

func writes(t *testing.T, name string) []auditEvent {
	t.Helper()
	return only(shared.audit.ofNode(t, name), func(e *auditEvent) bool {
		return e.Verb != "get" && e.Verb != "list" && e.Verb != "watch"
	})
}

// Two machines with one name, as after the copy of a memory card: one stops,
// the other keeps the Node.
func TestTwoMachinesUnderOneName(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	otherID := withMachineID(t, "0123456789abcdef0123456789abcdef")
	first := start(t, p, options{})
	waitSettled(t, p, name)
	second := start(t, p, options{wrap: otherID})

	isSilent := func(a *agent) bool { return len(a.lines("nothing is written any more")) > 0 }
	eventually(t, soon, "one of them stops", func() error {
		if isSilent(first) == isSilent(second) {
			return fmt.Errorf("first silent: %v, second silent: %v", isSilent(first), isSilent(second))
		}
		return nil
	})
	waitEvent(t, p, name, "DuplicateNode")
	time.Sleep(20 * time.Second)
	if isSilent(first) && isSilent(second) {
		t.Fatalf("both fell silent, and the Node with them")
	}
	winner := "0123456789abcdef0123456789abcdef"
	if isSilent(second) {
		winner = firstFile(t, "/etc/machine-id", "/var/lib/dbus/machine-id")
	}
	before := getNode(t, p, name)
	if got := before.Status.NodeInfo.MachineID; got != winner {
		t.Errorf("machineID %s, the one who goes on has %s", got, winner)
	}
	waitRenewal(t, p, name, time.Now(), soon)
	if err := isReady(t, p, name); err != nil {
		t.Error(err)
	}
	time.Sleep(5 * time.Second)
	if after := getNode(t, p, name); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("they still write against each other: %v", after.Status)
	}
}

// withMachineID is a command that shows its child another machine ID. The
// test is skipped where that can't be done.
func withMachineID(t *testing.T, id string) []string {
	t.Helper()
	file := filepath.Join(agentDir(t, "machine-id"), "machine-id")
	check(t, os.WriteFile(file, []byte(id+"\n"), 0o644))
	wrap := []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/machine-id && exec "$@"`, file}
	out, err := exec.Command(wrap[0], append(wrap[1:], "cat", "/etc/machine-id")...).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != id {
		t.Skipf("skipped: no second machine ID without root and a mount namespace: %v %s", err, out)
	}
	return wrap
}
