// SPDX-License-Identifier: Apache-2.0

package informer

import (
	stdcontext "context"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

const churnTime = 25 * time.Second

var (
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	widgets     = schema.GroupVersionResource{Group: "example.io", Version: "v1", Resource: "widgets"}
)

const definition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"widgets.example.io"},
"spec":{"group":"example.io","scope":"Namespaced","names":{"plural":"widgets","singular":"widget","kind":"Widget"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`

func object(t *testing.T, text string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return u
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	err := try()
	for ; err != nil && time.Now().Before(deadline); err = try() {
		time.Sleep(300 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// churner changes objects of one resource at random.
type churner struct {
	client dynamic.Interface
	gvr    schema.GroupVersionResource
	kind   string
	rng    *rand.Rand
	done   int
}

func (c *churner) step(ctx stdcontext.Context) {
	ns := []string{"default", "ns-b", "ns-c"}[c.rng.Intn(3)]
	name := fmt.Sprintf("churn-%02d", c.rng.Intn(30))
	of := c.client.Resource(c.gvr).Namespace(ns)
	if c.rng.Intn(4) == 0 {
		of.Delete(ctx, name, metav1.DeleteOptions{})
		c.done++
		return
	}
	labels := map[string]any{"app": string(rune('a' + c.rng.Intn(4))), "kubemote.io/turn": strconv.Itoa(c.rng.Intn(9))}
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": c.gvr.GroupVersion().String(), "kind": c.kind,
		"metadata": map[string]any{"name": name, "namespace": ns, "labels": labels}}}
	_, err := of.Create(ctx, u, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		patch := fmt.Sprintf(`{"metadata":{"labels":{"app":%q,"kubemote.io/turn":%q}}}`, labels["app"], labels["kubemote.io/turn"])
		_, err = of.Patch(ctx, name, "application/merge-patch+json", []byte(patch), metav1.PatchOptions{})
	}
	if err == nil {
		c.done++
	}
}

// consistent checks what holds for every trace: a key is added, updated from
// what it was, deleted; its versions never go back.
func consistent(calls map[string][]call) error {
	for key, list := range calls {
		last, newest := "", 0
		for i, c := range list {
			rv, err := strconv.Atoi(c.RV)
			if err != nil || rv < newest {
				return fmt.Errorf("%s: version %s behind %d in %v", key, c.RV, newest, list)
			}
			newest = rv
			known := last != ""
			if (c.Event == "add") == known || (c.Event == "update" && c.Old != last) {
				return fmt.Errorf("%s: call %d does not follow in %v", key, i, list)
			}
			last = c.RV
			if c.Event == "delete" {
				last = ""
			}
		}
	}
	return nil
}

// follower is one program on one resource, behind a proxy of its own.
type follower struct {
	*trace
	name     string
	gvr      schema.GroupVersionResource
	ns       string
	selector string
	link     *proxy.Proxy
}

func follow(t *testing.T, p *plane.Plane, program string, f follower, arguments ...string) *follower {
	link, err := proxy.New("127.0.0.1:0", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.Close)
	kubeconfig, err := p.AdminKubeconfig(plane.KubeconfigOptions{Server: "https://" + link.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	resource := strings.TrimPrefix(f.gvr.Group+"/"+f.gvr.Version+"/"+f.gvr.Resource, "/")
	f.name, f.link = program+" "+resource, link
	f.trace = startTrace(t, programs[program], kubeconfig, append(arguments, "--resource", resource)...)
	return &f
}

func (f *follower) expected(client dynamic.Interface) (map[string]string, error) {
	list, err := client.Resource(f.gvr).Namespace(f.ns).List(stdcontext.Background(), metav1.ListOptions{LabelSelector: f.selector})
	if err != nil {
		return nil, err
	}
	result := map[string]string{}
	for _, o := range list.Items {
		result[o.GetNamespace()+"/"+o.GetName()] = o.GetResourceVersion()
	}
	return result, nil
}

func (f *follower) settle(t *testing.T, client dynamic.Interface) contents {
	t.Helper()
	var last contents
	eventually(t, f.name, func() error {
		want, err := f.expected(client)
		if err != nil {
			return err
		}
		last = f.askContents()
		if !reflect.DeepEqual(want, last.Contents) {
			return fmt.Errorf("has\n %v\nserver has\n %v\nstderr:\n%s", last.Contents, want, f.errors.String())
		}
		return nil
	})
	return last
}

func prepareCluster(t *testing.T, client dynamic.Interface) {
	ctx := stdcontext.Background()
	for _, ns := range []string{"ns-b", "ns-c"} {
		u := object(t, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"`+ns+`"}}`)
		if _, err := client.Resource(namespaces).Create(ctx, u, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Resource(definitions).Create(ctx, object(t, definition), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the custom resource", func() error {
		_, err := client.Resource(widgets).List(ctx, metav1.ListOptions{})
		return err
	})
}

// TestPlane compares the final contents after random changes, cut links and a
// restart of the API server.
func TestPlane(t *testing.T) {
	p := plane.StartT(t, plane.Options{NoControllerManager: true, APIServerArgs: []string{"--etcd-compaction-interval=2s"}})
	client, err := dynamic.NewForConfig(p.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	prepareCluster(t, client)
	var all []*follower
	for _, program := range []string{"kubemote", "client-go"} {
		all = append(all,
			follow(t, p, program, follower{gvr: configMaps}, "--index", "namespace"),
			follow(t, p, program, follower{gvr: widgets, ns: "ns-b", selector: "app in (a,b),kubemote.io/turn"},
				"-n", "ns-b", "-l", "app in (a,b),kubemote.io/turn", "--index", "label:app"))
	}
	for _, f := range all {
		f.synced()
	}
	churn(t, p, client, all)
	for i := range 2 {
		ours, theirs := all[i].settle(t, client), all[i+2].settle(t, client)
		if !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s:\n kubemote  %v\n client-go %v", all[i].name, ours, theirs)
		}
	}
	for _, f := range all {
		f.stop()
		calls, synced := f.perKey()
		if err := consistent(calls); err != nil || synced != 1 {
			t.Errorf("%s: %v, synced %d times", f.name, err, synced)
		}
		t.Logf("%s: %d calls", f.name, len(f.calls))
	}
}

// everyResource compares contents and index of all that the server has. Nothing
// changes but leases.
func everyResource(t *testing.T, p *plane.Plane) {
	t.Helper()
	all, err := p.Client().Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := p.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		t.Fatal(err)
	}
	count, objects := 0, 0
	for _, group := range all {
		for _, r := range group.APIResources {
			if slices.Contains(r.Verbs, "watch") {
				objects += oneResource(t, kubeconfig, group.GroupVersion+"/"+r.Name)
				count++
			}
		}
	}
	t.Logf("%d resources, %d objects", count, objects)
}

func oneResource(t *testing.T, kubeconfig, resource string) int {
	t.Helper()
	arguments := []string{"--resource", resource, "--index", "namespace"}
	ours := startTrace(t, programs["kubemote"], kubeconfig, arguments...)
	meta := startTrace(t, programs["kubemote"], kubeconfig, append(arguments, "--metadata")...)
	theirs := startTrace(t, programs["client-go"], kubeconfig, arguments...)
	for _, tr := range []*trace{ours, meta, theirs} {
		tr.synced()
	}
	var want contents
	eventually(t, resource, func() error {
		want = theirs.askContents()
		for _, tr := range []*trace{ours, meta} {
			if got := tr.askContents(); !reflect.DeepEqual(got, want) {
				return fmt.Errorf("\n kubemote  %v\n client-go %v", got, want)
			}
		}
		return nil
	})
	for _, tr := range []*trace{ours, meta, theirs} {
		tr.stop()
	}
	return len(want.Contents)
}

// TestPlaneWithoutStreamingLists: a real server that has only lists.
func TestPlaneWithoutStreamingLists(t *testing.T) {
	p := plane.StartT(t, plane.Options{NoControllerManager: true, APIServerArgs: []string{"--feature-gates=WatchList=false"}})
	client, err := dynamic.NewForConfig(p.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	prepareCluster(t, client)
	all := []*follower{
		follow(t, p, "kubemote", follower{gvr: configMaps}),
		follow(t, p, "kubemote", follower{gvr: configMaps}, "--metadata"),
		follow(t, p, "client-go", follower{gvr: configMaps}),
	}
	c := &churner{client: client, gvr: configMaps, kind: "ConfigMap", rng: rand.New(rand.NewSource(1))}
	for _, f := range all {
		f.synced()
	}
	for range 3 {
		for range 50 {
			c.step(stdcontext.Background())
		}
		for _, f := range all {
			f.link.CutAll(proxy.RST)
		}
	}
	want := all[2].settle(t, client)
	for _, f := range all {
		if got := f.settle(t, client); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n kubemote  %v\n client-go %v", f.name, got, want)
		}
		f.stop()
		calls, synced := f.perKey()
		if err := consistent(calls); err != nil || synced != 1 {
			t.Errorf("%s: %v, synced %d times", f.name, err, synced)
		}
	}
	everyResource(t, p)
}

func churn(t *testing.T, p *plane.Plane, client dynamic.Interface, all []*follower) {
	seed := time.Now().UnixNano()
	rng := rand.New(rand.NewSource(seed))
	both := []*churner{{client: client, gvr: configMaps, kind: "ConfigMap", rng: rng}, {client: client, gvr: widgets, kind: "Widget", rng: rng}}
	begin := time.Now()
	nextCut, restartAt := begin.Add(4*time.Second), begin.Add(12*time.Second)
	for time.Since(begin) < churnTime {
		both[rng.Intn(2)].step(stdcontext.Background())
		time.Sleep(time.Duration(rng.Intn(20)) * time.Millisecond)
		if time.Now().After(nextCut) {
			nextCut = time.Now().Add(7 * time.Second)
			for _, f := range all {
				f.link.CutAll(proxy.RST)
			}
		}
		if !restartAt.IsZero() && time.Now().After(restartAt) {
			restartAt = time.Time{}
			p.KillAPIServer()
			if err := p.StartAPIServer(stdcontext.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("seed %d: %d changes of configmaps, %d of widgets", seed, both[0].done, both[1].done)
}
