// SPDX-License-Identifier: Apache-2.0

package informer

import (
	stdcontext "context"
	"math/rand"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

const retryTime = 12 * time.Second

// heard collects what client-go's RetryWatcher tells.
func heard(t *testing.T, client dynamic.Interface, rv string) (calls func() []call) {
	ctx, cancel := stdcontext.WithCancel(stdcontext.Background())
	t.Cleanup(cancel)
	source := &cache.ListWatch{WatchFuncWithContext: func(ctx stdcontext.Context, o metav1.ListOptions) (watch.Interface, error) {
		return client.Resource(configMaps).Watch(ctx, o)
	}}
	w, err := watchtools.NewRetryWatcherWithContext(ctx, rv, source)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan []call, 1)
	got <- nil
	go func() {
		for e := range w.ResultChan() {
			u, _ := e.Object.(*unstructured.Unstructured)
			if u == nil {
				u = &unstructured.Unstructured{}
			}
			c := call{Event: string(e.Type), Key: u.GetNamespace() + "/" + u.GetName(), RV: u.GetResourceVersion()}
			got <- append(<-got, c)
		}
	}()
	return func() []call {
		calls := <-got
		got <- calls
		return append([]call(nil), calls...)
	}
}

// TestRetryWatchPlane: the retry watcher, whose links are cut again and again,
// tells what client-go's tells that nobody disturbs.
func TestRetryWatchPlane(t *testing.T) {
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	client, err := dynamic.NewForConfig(p.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	prepareCluster(t, client)
	list, err := client.Resource(configMaps).List(stdcontext.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rv := list.GetResourceVersion()
	theirs := heard(t, client, rv)
	ours := follow(t, p, "kubemote", follower{gvr: configMaps}, "--retry", rv)
	rng := rand.New(rand.NewSource(time.Now().UnixNano()))
	c := &churner{client: client, gvr: configMaps, kind: "ConfigMap", rng: rng}
	begin := time.Now()
	for nextCut := begin; time.Since(begin) < retryTime; {
		c.step(stdcontext.Background())
		time.Sleep(time.Duration(rng.Intn(20)) * time.Millisecond)
		if time.Now().After(nextCut) {
			ours.link.CutAll(proxy.RST)
			nextCut = time.Now().Add(time.Duration(200+rng.Intn(2500)) * time.Millisecond)
		}
	}
	create(t, client, sentinel)
	ours.sees("default/" + sentinel)
	eventually(t, "client-go's last event", func() error {
		if calls := theirs(); len(calls) == 0 || calls[len(calls)-1].Key != "default/"+sentinel {
			return stdcontext.DeadlineExceeded
		}
		return nil
	})
	ours.stop()
	if want := theirs(); !reflect.DeepEqual(ours.calls, want) {
		t.Errorf("kubemote  %v\nclient-go %v\n%s", ours.calls, want, ours.errors.String())
	}
	t.Logf("%d events, %d changes", len(ours.calls), c.done)
}

// TestPlaneRestored: the store of a real control plane is an older copy. Here
// client-go hears nothing for ever. The retry watcher says so and stops; an
// informer that runs and one that comes back with what it saved are right again.
func TestPlaneRestored(t *testing.T) {
	ctx := stdcontext.Background()
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	client, err := dynamic.NewForConfig(p.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	prepareCluster(t, client)
	snapshot, err := p.SnapshotEtcd(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.Resource(configMaps).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ours := follow(t, p, "kubemote", follower{gvr: configMaps}, "--retry", list.GetResourceVersion())
	picture := follow(t, p, "kubemote", follower{gvr: configMaps})
	file := filepath.Join(t.TempDir(), "rv")
	first := follow(t, p, "kubemote", follower{gvr: configMaps}, "--save", file)
	// More than what a server writes while it starts.
	c := &churner{client: client, gvr: configMaps, kind: "ConfigMap", rng: rand.New(rand.NewSource(1))}
	for range 1000 {
		c.step(ctx)
	}
	create(t, client, sentinel)
	for _, f := range []*follower{ours, picture, first} {
		f.sees("default/" + sentinel)
	}
	first.stop()
	if err := p.RestoreEtcd(ctx, snapshot); err != nil {
		t.Fatal(err)
	}
	ours.untilCall("stopped", func(c call) bool { return c.Event == "stopped" })
	last := ours.calls[len(ours.calls)-2]
	if last.Event != "ERROR" || last.RV != "504" || !strings.Contains(ours.errors.String(), "the server's store is older") {
		t.Errorf("%v\n%s", last, ours.errors.String())
	}
	ours.stop()
	second := follow(t, p, "kubemote", follower{gvr: configMaps}, "--save", file)
	picture.settle(t, client)
	second.settle(t, client)
	second.says("can't go on from the saved resourceVersion")
	picture.stop()
	second.stop()
}

func create(t *testing.T, client dynamic.Interface, name string) {
	t.Helper()
	one := object(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"`+name+`"}}`)
	if _, err := client.Resource(configMaps).Namespace("default").Create(stdcontext.Background(), one, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestRetryWatchTooOld: it says so and stops.
func TestRetryWatchTooOld(t *testing.T) {
	for _, asEvent := range []bool{false, true} {
		s := newServer(t)
		s.expiredAsEvent = asEvent
		s.put("a")
		s.put("b")
		s.compact()
		tr := startTrace(t, programs["kubemote"], writeKubeconfig(t, s.address), "--resource", resourceName, "--retry", "7")
		tr.until("stopped", func() bool {
			return len(tr.calls) == 2 && tr.calls[0].Event == "ERROR" && tr.calls[0].RV == "410" && tr.calls[1].Event == "stopped"
		})
		tr.stop()
	}
}
