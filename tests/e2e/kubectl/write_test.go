// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
)

// Commands that change the cluster run for real, kubectl in one namespace and kubemote in another, on the same plane; what they
// say is compared, and in the end the objects.

const (
	nsTheirs = "write-theirs"
	nsOurs   = "write-ours"
)

// step is one command line for both; {NS} stands for the namespace, {FILES} for the folder of manifests.
type step struct {
	args    string
	setup   bool   // kubectl alone runs it, in both namespaces
	differs string // why the words differ; the exit code must be the same all the same
}

var manifests = map[string]string{
	"several.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: v}
---
apiVersion: v1
kind: Nope
metadata: {name: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
dota: {k: v}
---
foo: 1
---
apiVersion: v1
kind: ConfigMap
metadata: {name: never}
`,
	"other.yaml":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: other}\n",
	"generate.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}\n",
	"elsewhere.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: elsewhere}\n",
	"nameless.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n",
	"broken.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d\n",
	"half.yaml":      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: half}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: d\n",
	"broken.json":    `{"kind": "ConfigMap" "a"}`,
	"array.json":     "[1,2]",
	"invalid.yaml":   "apiVersion: v1\nkind: Service\nmetadata: {name: UPPER}\nspec: {ports: [{port: 99999}]}\n",
	"typed.yaml":     "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: m1}\n",
	"nothing.yaml":   "# nothing\n",
	"dir/1.yaml":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d1}\n",
	"dir/2.json":     `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d2"}}`,
	"dir/sub/3.yml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d3}\n",
	"dir/readme.txt": "no manifest",
	"empty/.keep":    "",
	"patch.yaml":     "data: {from: file}\n",
	"html.yaml":      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: html}\ndata: {text: a < b > c & d}\n",
	"gone.yaml":      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone}\n",
	"labels.json":    manyLabels(80),
	"odd.json":       `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd", "labels": {"esc\u0061ped": "y\u0065s", "nothing": null}}}`,
	"twice.json":     `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd", "labels": {"twice": "first", "twice": "last"}}}`,
	"kept.yaml":      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, labels: {a: b}}\n",
	"marks.yaml":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: number, annotations: [1], labels: {a: true}}\n",
	"number.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: number, labels: {a: b, n: 1}}\n",
	"list.yaml": `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: l1, labels: {x: z}}
- apiVersion: v1
  kind: Secret
  metadata: {name: l2}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: dep, labels: {x: z}}
  spec:
    replicas: 0
    selector: {matchLabels: {a: b}}
    template:
      metadata: {labels: {a: b}}
      spec: {containers: [{name: c, image: i}]}
`,
}

// manyLabels is an object with labels l00 to l(count-1) of values v00 and so on.
func manyLabels(count int) string {
	labels := map[string]string{}
	for i := range count {
		labels[fmt.Sprintf("l%02d", i)] = fmt.Sprintf("v%02d", i)
	}
	text, _ := json.Marshal(labels)
	return `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "labels", "labels": ` + string(text) + `}}`
}

func steps(text string) []step {
	var out []step
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "+ "):
			out = append(out, step{args: line[2:], setup: true})
		case strings.HasPrefix(line, "~ "): // ~ reason | command
			reason, args, _ := strings.Cut(line[2:], " | ")
			out = append(out, step{args: args, differs: reason})
		default:
			out = append(out, step{args: line})
		}
	}
	return out
}

const applySteps = `
apply --server-side -f {FILES}/dir
apply --server-side -f {FILES}/dir -R -o name
apply --server-side -f {FILES}/list.yaml
apply --server-side -f {FILES}/list.yaml -l x=z --dry-run=server
apply --server-side -f {FILES}/list.yaml -l x=nothing
apply --server-side -f {FILES}/labels.json -l l79=v79 --dry-run=server
apply --server-side -f {FILES}/labels.json -l l79=v79,l00=v00,!l80 --dry-run=server
apply --server-side -f {FILES}/labels.json -l !l79
apply --server-side -f {FILES}/labels.json -l l79!=v79
apply --server-side -f {FILES}/labels.json -l l78=
apply --server-side -f {FILES}/odd.json -l escaped=yes --dry-run=server
apply --server-side -f {FILES}/twice.json -l twice=first
apply --server-side -f {FILES}/odd.json -l nothing= --dry-run=server
apply --server-side -f {FILES}/number.yaml -l a=b
apply --server-side -f {FILES}/number.yaml -l n=1
apply --server-side -f {FILES}/number.yaml
apply --server-side -f {FILES}/number.yaml -l a=b=c
apply --server-side -f {FILES}/marks.yaml
create -f {FILES}/number.yaml
delete -f {FILES}/number.yaml
apply --server-side -f {FILES}/kept.yaml
+ label cm kept here=server
delete -f {FILES}/kept.yaml -l a=other
delete -f {FILES}/kept.yaml -l here=server
delete -f {FILES}/kept.yaml -l a=b=c
label -f {FILES}/kept.yaml -l here=other more=labels
label -f {FILES}/kept.yaml -l here=server more=labels
label -f {FILES}/gone.yaml -l here=server more=labels
annotate -f {FILES}/kept.yaml -l a=other more=notes
annotate -f {FILES}/kept.yaml -l a=b more=notes
get -f {FILES}/kept.yaml -l a=other
get -f {FILES}/kept.yaml -l a=other -o json
get -f {FILES}/kept.yaml -l a=other -o yaml
get -f {FILES}/kept.yaml -l here=server -o name
get -f {FILES}/gone.yaml -l here=server
wait -f {FILES}/kept.yaml -l a=other --for=delete --timeout=1s
get cm kept -o jsonpath={.metadata.labels}{.metadata.annotations}
delete -f {FILES}/kept.yaml -l a=b
apply --server-side -f {FILES}/typed.yaml
apply --server-side -f {FILES}/several.yaml
~ kubectl logs a line of its own | apply --server-side -f {FILES}/several.yaml --validate=warn
apply --server-side -f {FILES}/generate.yaml
apply --server-side -f {FILES}/elsewhere.yaml
apply --server-side -f {FILES}/nameless.yaml
apply --server-side -f {FILES}/nothing.yaml
apply --server-side -f {FILES}/invalid.yaml
apply --server-side -f {FILES}/array.json
apply --server-side -f {FILES}/empty
apply --server-side -f {FILES}/nowhere.yaml
apply --server-side -f {FILES}/nowhere.yaml -f {FILES}/empty
~ kubemote names file and line | apply --server-side -f {FILES}/broken.yaml
~ kubemote names file and line | apply --server-side -f {FILES}/half.yaml
~ kubemote names file and line | apply --server-side -f {FILES}/broken.json
apply --server-side -f {FILES}/other.yaml --field-manager=second
apply --server-side -f {FILES}/other.yaml --field-manager=second --force-conflicts
apply --server-side -f {FILES}/dir/1.yaml --dry-run=client
apply --server-side -f {FILES}/dir --validate=false
apply
apply x y
create -f {FILES}/invalid.yaml
create -f {FILES}/several.yaml
create -f {FILES}/elsewhere.yaml
create -f {FILES}/list.yaml
create -f {FILES}/dir/1.yaml --dry-run=server
create -f {FILES}/dir/1.yaml,{FILES}/dir/2.json
create -f {FILES}/dir/1.yaml -f {FILES}/dir/nope.json
create -f {FILES}/dir/sub/3.yml --validate=foo
create
delete -f {FILES}/dir -R
~ kubemote names file and line | delete -f {FILES}/half.yaml
create -f {FILES}/dir -R
create -f {FILES}/dir/1.yaml --dry-run=client
create -f {FILES}/list.yaml --dry-run=client -o yaml
create -f {FILES}/generate.yaml --dry-run=client
create -f - -f -
create -f -,-
create -f=
create -f {FILES}/list.yaml --dry-run=client -o json
~ kubectl logs that the form is an old one | create -f {FILES}/html.yaml --dry-run -o name
create -f {FILES}/html.yaml --dry-run=client -o json
create -f {FILES}/html.yaml -o json
create -f {FILES}/several.yaml -o yaml
~ the list of formats is kubemote's own | create -f {FILES}/html.yaml -o nosuch
apply --server-side -f {FILES}/html.yaml -o json
apply --server-side -f {FILES}/html.yaml -o yaml --show-managed-fields
apply --server-side -f {FILES}/dir -R -o yaml
apply --server-side -f {FILES}/dir -o json
apply --server-side -f {FILES}/dir -o jsonpath={.items[*].metadata.name}
apply --server-side -f {FILES}/dir/1.yaml -o jsonpath={.metadata.name}
get -f {FILES}/list.yaml
get -f {FILES}/list.yaml -o name
get -f {FILES}/dir -R --show-labels
get -f {FILES}/dir -o yaml
get -f {FILES}/dir/1.yaml -o yaml
get -f {FILES}/dir/1.yaml -o jsonpath={.metadata.name}
get -f {FILES}/list.yaml -o jsonpath={.items[*].kind}
get -f {FILES}/other.yaml -f {FILES}/dir
get -f {FILES}/gone.yaml
get -f {FILES}/gone.yaml -o json
get -f {FILES}/gone.yaml -f {FILES}/dir -o name
get -f {FILES}/gone.yaml --ignore-not-found
get -f {FILES}/nowhere.yaml
get -f {FILES}/elsewhere.yaml
get -f {FILES}/dir pods
`

const patchSteps = `
patch cm d1 -p {"data":{"a":"b"}}
patch cm d1 -p {"data":{"a":"b"}}
patch cm d1 -p {"data":{"a":"c"}} --dry-run=server
patch cm d1 --type=json -p [{"op":"remove","path":"/data/zz"}]
patch cm d1 --type=json -p [{"op":"replace","path":"/data/a","value":"q"}] -o name
patch cm d1 --type=merge -p {"data":{"a":null}}
patch cm d1 --type=foo -p {}
patch cm d1 -p {"data":3}
patch cm d1 --patch-file {FILES}/patch.yaml
patch cm d1 --patch-file {FILES}/nowhere
patch deploy dep --subresource=scale --type=merge -p {"spec":{"replicas":0}}
patch deploy dep -p {"spec":{"replicas":-1}}
patch deploy dep -p {"spec":{"selector":{"matchLabels":{"z":"q"}}}}
patch cm d1 -p {"data":{"a":"y"}} -o yaml
patch cm d1 -p {"data":{"a":"z"}} -o jsonpath={.data}
patch -f {FILES}/dir -p {"data":{"b":"y"}} -o yaml
patch -f {FILES}/dir -p {"data":{"b":"y"}}
patch -f {FILES}/dir -p {"data":{"b":"z"}} --dry-run=client -o yaml
patch cm d1 --type= --subresource= -p {"data":{"b":"y"}}
patch deploy dep -p {"spec":{"template":{"spec":{"restartPolicy":"Never"}}}}
patch cm d1
patch cm d1 -p a --patch-file b
patch cm -p {}
patch cm d1 nope -p {"data":{"z":"y"}}
patch nope x -p {}
patch -f {FILES}/list.yaml -p {"metadata":{"annotations":{"a":"b"}}}
`

const labelSteps = `
+ create cm la
+ create cm lb
label cm la a=b
label cm la a=b
label cm la a=c
label cm la a=c --overwrite
label cm la a=c zz-
label cm la q=1 a-
label cm la q- w-
label cm la q=1 q-
label cm la q=1=2
label cm la q=-
label cm la /x=y
label cm la
label
label cm la a=b foo
label cm la lb k=v
label cm -l k=v k=w --overwrite --dry-run=server
label cm --all k=w -l k=v
label cm -l k=v --list
label cm la --list
label cm la --list -o name
label cm nope x=y
label cm la zz=1 --resource-version=1
label cm la lb zz=1 --resource-version=1
label cm/la m=n -o name
annotate cm la a=b
annotate cm la a=b
annotate cm la a=c
annotate cm la a=c=d --overwrite
annotate cm la a- b-
annotate cm la a- a=1
annotate cm la t="x<&>
annotate cm la --list
annotate cm la zz=1 --resource-version=1
annotate cm la zz
annotate cm la zz=1 yy
annotate cm lb u=v --dry-run=server
label -f {FILES}/dir/1.yaml a=b
label cm la m=n2 --overwrite -o yaml
label cm la m=n2 --overwrite -o json
label cm la lb m=n3 --overwrite -o yaml
label cm la dry=run --dry-run=client
label cm la dry=run m- --dry-run=client -o name
annotate cm la note=x -o jsonpath={.metadata.annotations.note}
annotate cm la note=y --overwrite --dry-run=server -o yaml
annotate cm la dry=run --dry-run=client
annotate cm la lb two=objects -o yaml
annotate cm la lb two=objects -o json
`

const waitSteps = `
+ create cm wa --from-literal=a=b
+ label cm wa l=wa
wait cm/wa --for=jsonpath={.data.a}=b
wait cm/wa --for=jsonpath={.data.a}=c --timeout=1s
wait cm/wa --for=jsonpath={.data.a}=c --timeout=0s
wait cm/wa --for=jsonpath={.data}=c --timeout=1s
wait cm/wa --for=jsonpath={.data}
wait cm/wa --for=jsonpath=.metadata.name
wait cm/wa --for=jsonpath={.nope} --timeout=1s
wait cm/wa --for=jsonpath={.data.a}=
wait cm/wa --for=jsonpath=
wait cm/wa --for=jsonpath={.a}=b=c
wait cm/wa --for=foo
wait cm/wa --for=
wait cm/wa
wait cm/nope --for=delete
wait cm/nope --for=condition=Ready
wait cm/nope --for=condition=Ready --timeout=0
wait cm -l x=nope --for=condition=Ready
wait cm -l x=nope --for=delete
wait cm -l l=wa --for=jsonpath={.data.a}=b
wait cm/wa --for=delete --timeout=1s
wait cm/wa --for=delete --timeout=0
wait cm/wa --for=create
wait cm/wa --for=create --for=jsonpath={.data.a}=b
wait cm/wa2 --for=create --timeout=1s
wait cm/wa cm/wa2 --for=create --timeout=1s
wait nope/wa --for=create --timeout=1s
wait deploy/dep --for=condition=Available --timeout=60s
wait deploy/dep --for=condition=available=TRUE -o name
wait deploy/dep --for=condition=Available=false --timeout=1s
wait deploy/dep cm/wa --for=condition=Available --timeout=1s
wait deploy/dep --for=jsonpath={.spec.template.spec.containers[0].image}=i
wait cm --for=delete
wait nope/x --for=delete
wait ns/{NS} --for=jsonpath={.status.phase}=Active --timeout=5
`

const deleteSteps = `
+ create cm x1
+ create cm x2
+ create cm x3
+ label cm x3 l=1
delete cm x1
delete cm x1
delete cm x1 --ignore-not-found
delete cm x1 zz x2
delete cm/q deploy/w
delete cm -l l=1 --dry-run=server
delete cm -l l=1 -o name
delete cm -l l=1
delete cm
delete nosuch x
delete nosuch.apps x
delete
delete cm --all -l a=b
delete cm x cm/y
delete cm/a/b
delete cm/
delete cm a --cascade=foo
delete cm a --grace-period=0 --now
delete cm x1 --force
delete cm a --force --grace-period=3
delete cm a -o yaml
delete cm a --dry-run=foo
delete ns nosuchns
delete cm a --timeout=3
delete cm a --nope
delete cm,svc -l a=b
delete -f {FILES}/nowhere.yaml a
delete cm A%b
delete cm -l a=,=
delete pods a -A
delete deploy dep --cascade=foreground
`

const reviewSteps = `
auth whoami
auth whoami --as bob --as-group g --as-group h
auth whoami -o json
auth can-i list po
auth can-i list po --as bob
auth can-i foo bar
auth can-i get /x
auth can-i list nodes
auth can-i
auth can-i list po/x -q
auth can-i --list
auth can-i --list --as bob
auth can-i create deployments.apps --as bob --subresource=scale
auth can-i create deploy.foo
auth foo
events --types Foo
events --for x
events --for pod/x
events --for nope/x
get cm nope --as bob
get cm nope --as-group g
get cm nope --request-timeout=foo
`

func writeManifests(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "files")
	for name, text := range manifests {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// What the server makes for each object; times of managed fields and ages in tables as well.
var ownToEach = regexp.MustCompile(`(?m)((?:uid|resourceVersion|creationTimestamp|time)"?:) .*| +[0-9]+s( +|$)`)

// A watch that the command itself ended within a second makes client-go write a line to the log.
var shortWatch = regexp.MustCompile(`(?m)^I[0-9]{4} .* reflector\.go:.*\n`)

func withoutOwn(text string) string { return ownToEach.ReplaceAllString(text, "$1") }

// live runs a program against the plane itself.
func live(t *testing.T, program, ns, files string, s step) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	words := strings.Fields(strings.NewReplacer("{NS}", ns, "{FILES}", files).Replace(s.args))
	at := 1
	if words[0] == "auth" || words[0] == "config" {
		at = 2
	}
	at = min(at, len(words))
	config, err := cluster.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		t.Fatal(err)
	}
	args := append(append([]string{}, words[:at]...), "--kubeconfig", config, "-n", ns)
	cmd := exec.CommandContext(ctx, program, append(args, words[at:]...)...)
	cache := cacheOf(program) + "-live"
	cmd.Env = []string{"HOME=" + cache, "KUBECACHEDIR=" + cache, "PATH=/nonexistent", "TZ=UTC"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	pairs := []string{ns, "NAMESPACE"}
	if files != "" {
		pairs = append(pairs, files, "FILES")
	}
	clean := strings.NewReplacer(pairs...)
	return outcome{clean.Replace(stdout.String()), clean.Replace(stderr.String()), cmd.ProcessState.ExitCode()}
}

func runStep(t *testing.T, files string, s step) {
	want := live(t, theirs, nsTheirs, files, s)
	if s.setup {
		again := live(t, theirs, nsOurs, files, s)
		if want.code != 0 || again.code != 0 {
			t.Fatalf("setup %q: %s%s", s.args, want.stderr, again.stderr)
		}
		return
	}
	got := live(t, ours, nsOurs, files, s)
	report.row("Commands that change the cluster", s.args, map[bool]string{true: "same", false: s.differs}[s.differs == ""])
	if want.code != got.code {
		t.Errorf("exit code %d instead of %d; it says %q, kubectl %q", got.code, want.code, got.stderr, want.stderr)
	}
	if text := difference("standard output", withoutOwn(got.stdout), withoutOwn(want.stdout)); text != "" {
		t.Error(text)
	}
	said := shortWatch.ReplaceAllString(want.stderr, "")
	if text := difference("standard error", sayKubectl(got.stderr), said); text != "" && s.differs == "" {
		t.Error(text)
	}
}

// Hints name the program; field managers are kubectl's own in both.
func sayKubectl(text string) string { return strings.ReplaceAll(text, "kubemote", "kubectl") }

// objectsOf is all that the commands may have made, without what the server made of it.
func objectsOf(t *testing.T, ns string) string {
	t.Helper()
	out := live(t, theirs, ns, "", step{args: "get configmaps,secrets,deployments,services -o json --show-managed-fields"})
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(out.stdout), &list); err != nil {
		t.Fatal(err, out.stderr)
	}
	for _, item := range list.Items {
		delete(item, "status")
		meta := item["metadata"].(map[string]any)
		for _, key := range []string{"uid", "resourceVersion", "creationTimestamp"} {
			delete(meta, key)
		}
		fields, _ := meta["managedFields"].([]any)
		for _, f := range fields {
			delete(f.(map[string]any), "time")
		}
		// The server sorts them by their times in whole seconds, which are not the same for both.
		slices.SortFunc(fields, func(a, b any) int { return strings.Compare(compact(t, a), compact(t, b)) })
	}
	data, err := json.MarshalIndent(list.Items, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func compact(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWritesAreKubectls(t *testing.T) {
	files := writeManifests(t)
	for _, ns := range []string{nsTheirs, nsOurs} {
		out := live(t, theirs, "default", "", step{args: "create ns " + ns})
		if out.code != 0 {
			t.Fatal(out.stderr)
		}
	}
	groups := []struct{ name, text string }{
		{"apply and create", applySteps},
		{"patch", patchSteps},
		{"label and annotate", labelSteps},
		{"wait", waitSteps},
		{"delete", deleteSteps},
		{"auth, events, flags", reviewSteps},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, s := range steps(g.text) {
				t.Run(s.args, func(t *testing.T) { runStep(t, files, s) })
			}
			if text := difference("the objects", objectsOf(t, nsOurs), objectsOf(t, nsTheirs)); text != "" {
				t.Error(text)
			}
		})
	}
}

func argv(words ...string) command { return command{argv: words} }

// What a patch makes of an object here, without asking the server for it.
func TestPatchHere(t *testing.T) {
	patch := func(kind, patch string, more ...string) command {
		return command{argv: append([]string{"patch", kind, "-n", "web", "--dry-run=client", "-p", patch}, more...)}
	}
	const ofTheServer = "lists, directives and JSON patches are left to the server"
	each(t, "--dry-run=client", []command{
		patch("cm/tricky", `{"data":{"zz":"1"}}`),
		patch("cm/tricky", `{"data":{"zz":"1"}}`, "-o", "yaml"),
		patch("cm/tricky", `data: {zz: "3", int: ~}`, "-o", "json"),
		patch("cm/tricky", `{"data": {"zz" : "1",  "int":null}, "extra": {"a": null, "b": {"c": null}}}`, "-o", "json", "--type", "merge"),
		patch("cm/tricky", `{ "metadata": {"labels": {"a": "b<c>"} } }`, "-o", "json"),
		patch("cm/tricky", `data: {int: "0o17"}`),
		patch("cm/tricky", `{"data":null}`, "-o", "yaml"),
		patch("cm/tricky", `{"data":"x"}`, "-o", "yaml", "--type=merge"),
		patch("cm/nosuch", `{}`),
		patch("lamps/hall", `{"spec":{"on":false}}`),
		patch("lamps/hall", `{"spec":{"on":false,"list":[1,2],"level":1.50}}`, "--type=merge", "-o", "yaml"),
		patch("lamps/hall", `{"spec":{"on":true}}`, "--type=merge"),
		patch("crd/lamps.example.com", `{"spec":{"x":true}}`),
		patch("deploy/web", `{"spec":{"replicas":3}}`, "-o", "jsonpath={.spec.replicas}"),
		patch("deploy/web", `{"spec":{"replicas":3}}`, "--subresource=scale", "--type=merge", "-o", "yaml"),
		patch("ns/web", `{"metadata":{"labels":{"team":"b"}}}`, "-o", "yaml", "--show-managed-fields"),
		argv("label", "ns", "web", "team=b", "--overwrite", "--dry-run=client", "-o", "yaml"),
		argv("label", "ns", "web", "team-", "--dry-run=client", "-o", "json"),
		argv("label", "ns", "web", "default", "new=x", "--dry-run=client", "-o", "yaml"),
		argv("label", "ns", "web", "team=a", "--dry-run=client", "-o", "name"),
		argv("annotate", "ns", "web", "note=a <b>", "--dry-run=client", "-o", "yaml"),
		argv("annotate", "ns", "--all", "note=all", "--dry-run=client", "-o", "json"),
	})
	for _, c := range []command{
		patch("deploy/web", `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"x"}]}}}}`),
		patch("cm/tricky", `{"data":{"$patch":"replace"}}`),
		patch("cm/tricky", `[]`, "--type=json"),
	} {
		report.row("--dry-run=client", c.name(), ofTheServer)
		if out := runProgram(t, ours, newRecorder(t, nil), &c, cacheOf(ours)); out.code != 1 || out.stdout != "" || !strings.Contains(out.stderr, "--dry-run=server") {
			t.Errorf("%s: %+v", c.name(), out)
		}
	}
}
