// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
)

const widgetDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

const widget = `apiVersion: example.com/v1
kind: Widget
metadata: {name: door}
spec: {color: red, size: 3, parts: [{name: leaf, count: 2}, {name: hinge, count: 4}]}
`

// example runs a program of docs/examples, which `make examples` built.
func example(t *testing.T, name string, args ...string) outcome {
	t.Helper()
	program := filepath.Join(root, "build/linux/examples", name)
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: make examples builds it", err)
	}
	config, err := cluster.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{"KUBECONFIG=" + config, "HOME=" + t.TempDir(), "PATH=/nonexistent"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func (o outcome) mustBe(t *testing.T, stdout string) {
	t.Helper()
	if o.code != 0 || o.stdout != stdout {
		t.Fatalf("exit code %d, standard output %q, standard error %q; expected %q", o.code, o.stdout, o.stderr, stdout)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "objects.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExampleListsPods(t *testing.T) {
	want := live(t, theirs, "default", "", step{args: "get pods -A --no-headers -o custom-columns=A:.metadata.namespace,B:.metadata.name"})
	lines := strings.Fields(want.stdout)
	var expected []string
	for i := 0; i+1 < len(lines); i += 2 {
		expected = append(expected, lines[i]+"/"+lines[i+1])
	}
	got := example(t, "list_pods")
	names := strings.Fields(strings.ReplaceAll(got.stdout, "NAMESPACE", "default"))
	for i := range expected {
		expected[i] = strings.ReplaceAll(expected[i], "NAMESPACE", "default")
	}
	slices.Sort(expected)
	slices.Sort(names)
	if got.code != 0 || !slices.Equal(names, expected) || len(names) == 0 {
		t.Fatalf("exit code %d, %q, %s; expected %q", got.code, names, got.stderr, expected)
	}
}

// The example is to stay one that people read at a glance.
func TestExampleListPodsIsShort(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/examples/list_pods.c"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "/*") {
			count++
		}
	}
	if count > 25 {
		t.Errorf("%d lines of C", count)
	}
}

// Three pages of two at most, and each Deployment as kubectl shows it.
func TestExampleListsDeployments(t *testing.T) {
	for _, name := range []string{"typed-a", "typed-b", "typed-c"} {
		live(t, theirs, "default", "", step{args: "create deployment " + name + " --image=registry.example/app:1 --replicas=0"})
		defer live(t, theirs, "default", "", step{args: "delete deployment " + name})
	}
	got := example(t, "list_deployments")
	for _, name := range []string{"typed-a", "typed-b", "typed-c"} {
		if strings.Count(got.stdout, "default/"+name+" 0/0 registry.example/app:1\n") != 1 {
			t.Errorf("exit code %d, %q, %s", got.code, got.stdout, got.stderr)
		}
	}
}

func TestExampleConfigMap(t *testing.T) {
	example(t, "configmap", "default", "visits").mustBe(t, "visits: 1 visits\n")
	gone := live(t, theirs, "default", "", step{args: "get cm visits --ignore-not-found"})
	if gone.stdout != "" {
		t.Error("it was not deleted:", gone.stdout)
	}
	failed := example(t, "configmap", "no-such-namespace", "visits")
	if failed.code != 1 || !strings.Contains(failed.stderr, "not found") {
		t.Errorf("exit code %d, %q", failed.code, failed.stderr)
	}
}

func TestExamplesApplyAndReadACustomResource(t *testing.T) {
	example(t, "apply_file", writeFile(t, widgetDefinition)).mustBe(t, "customresourcedefinition/widgets.example.com applied\n")
	path := writeFile(t, widget)
	deadline := time.Now().Add(time.Minute)
	for {
		out := example(t, "apply_file", path)
		if out.code == 0 {
			out.mustBe(t, "widget/door applied\n")
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(out.stderr)
		}
		time.Sleep(200 * time.Millisecond) // the server takes a moment to serve a new kind
	}
	example(t, "custom_resource", "default", "door").mustBe(t, "door: red, size 3, 6 pieces\ndoor-copy applied\n")
	made := live(t, theirs, "default", "", step{args: "get widget door-copy -o jsonpath={.spec.color},{.spec.parts[1].name},{.spec.parts[1].count}"})
	if made.stdout != "red,hinge,4" {
		t.Errorf("the copy is %q; %s", made.stdout, made.stderr)
	}
	status := live(t, theirs, "default", "", step{args: "get widget door -o jsonpath={.status.pieces}"})
	if status.stdout != "6" {
		t.Errorf("status.pieces is %q; %s", status.stdout, status.stderr)
	}
	live(t, theirs, "default", "", step{args: "delete crd widgets.example.com"})
}

func TestExampleScale(t *testing.T) {
	live(t, theirs, "default", "", step{args: "create deployment scaled --image=i --replicas=0"})
	defer live(t, theirs, "default", "", step{args: "delete deployment scaled"})
	example(t, "scale", "default", "scaled", "2").mustBe(t, "scaled: 0 -> 2\n")
	made := live(t, theirs, "default", "", step{args: "get deployment scaled -o jsonpath={.spec.replicas}"})
	if made.stdout != "2" {
		t.Errorf("%q replicas; %s", made.stdout, made.stderr)
	}
	for args, want := range map[string]string{
		"no-such 2": "error: deployments.apps \"no-such\" not found\n",
		"scaled x":  "error: a RAW field of the record holds no JSON\n",
		"a/b 2":     "error: the resource, namespace, name or subresource is empty or no segment of a path\n",
	} {
		got := example(t, "scale", append([]string{"default"}, strings.Fields(args)...)...)
		if got.code != 1 || got.stderr != want {
			t.Errorf("%s: exit code %d, %q", args, got.code, got.stderr)
		}
	}
}

func TestExampleDynamic(t *testing.T) {
	live(t, theirs, "default", "", step{args: "create configmap dynamic"})
	defer live(t, theirs, "default", "", step{args: "delete configmap dynamic"})
	example(t, "dynamic", "cm", "dynamic", "example.com/tier", "front", "/metadata/labels").mustBe(t, "\"front\" /example.com~1tier\n")
	example(t, "dynamic", "ns", "default", "tier", "front", "/status").mustBe(t, "\"Active\" /phase\n")
	got := example(t, "dynamic", "no-such", "a", "b", "c", "/")
	if got.code != 1 || got.stderr != "error: the server doesn't have a resource type \"no-such\"\n" {
		t.Errorf("exit code %d, %q", got.code, got.stderr)
	}
}
