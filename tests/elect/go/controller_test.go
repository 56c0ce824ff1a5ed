// SPDX-License-Identifier: Apache-2.0

package elect

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/yaml"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

var (
	crds      = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	greetings = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "greetings"}
)

const greetingCount = 12

// scene is one controller's run: its namespace, and the way that it has to the
// server.
type scene struct {
	t     *testing.T
	p     *plane.Plane
	dyn   dynamic.Interface
	ns    string
	front *front
	door  *proxy.Proxy
	want  map[string]string
}

func (s *scene) greetings() dynamic.ResourceInterface {
	return s.dyn.Resource(greetings).Namespace(s.ns)
}

func (s *scene) put(name, text string) {
	s.t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Greeting",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"text": text},
	}}
	_, err := s.greetings().Create(s.t.Context(), object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		patch := fmt.Sprintf(`{"spec":{"text":%q}}`, text)
		_, err = s.greetings().Patch(s.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	}
	check(s.t, err)
	s.want[name] = text
}

func (s *scene) maps() map[string]string {
	s.t.Helper()
	list, err := s.p.Client().CoreV1().ConfigMaps(s.ns).List(s.t.Context(), metav1.ListOptions{})
	check(s.t, err)
	have := map[string]string{}
	for _, m := range list.Items {
		if m.Name == "kube-root-ca.crt" {
			continue
		}
		if len(m.OwnerReferences) != 1 || m.OwnerReferences[0].Kind != "Greeting" ||
			m.OwnerReferences[0].Controller == nil {
			s.t.Errorf("%s is owned by %v", m.Name, m.OwnerReferences)
		}
		have[m.Name] = m.Data["text"]
	}
	return have
}

// settle waits until every ConfigMap is as it should be, and everything that
// should be refused was.
func (s *scene) settle(what string) {
	s.t.Helper()
	var have map[string]string
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
		if have = s.maps(); reflect.DeepEqual(have, s.want) && s.front.refusalsLeft() == 0 {
			return
		}
	}
	s.t.Fatalf("%s, %s: ConfigMaps %v, want %v; %d requests were not refused", s.ns, what, have, s.want, s.front.refusalsLeft())
}

func name(i int) string { return fmt.Sprintf("g%02d", i) }

func (s *scene) all(text string) {
	s.t.Helper()
	for i := range greetingCount {
		s.put(name(i), text+strconv.Itoa(i))
	}
}

func (s *scene) drift() {
	maps := s.p.Client().CoreV1().ConfigMaps(s.ns)
	for i := range 3 {
		check(s.t, maps.Delete(s.t.Context(), name(i), metav1.DeleteOptions{}))
		_, err := maps.Patch(s.t.Context(), name(i+3), types.MergePatchType, []byte(`{"data":{"text":"drift"}}`), metav1.PatchOptions{})
		check(s.t, err)
	}
}

// noise is of no interest to the controllers.
func (s *scene) noise() {
	for i := range greetingCount {
		_, err := s.greetings().Patch(s.t.Context(), name(i), types.MergePatchType,
			[]byte(`{"status":{"seen":true}}`), metav1.PatchOptions{}, "status")
		check(s.t, err)
	}
}

// behindTheBack changes all while the controller is cut off.
func (s *scene) behindTheBack(how proxy.Cut, text string) {
	check(s.t, s.door.SetRefuse(true))
	s.door.CutAll(how)
	s.all(text)
	check(s.t, s.door.SetRefuse(false))
}

func expired() metav1.Status {
	return metav1.Status{Code: 410, Reason: metav1.StatusReasonExpired, Message: "too old resource version"}
}

// act is what befalls each controller; long acts are left out of the short run.
type act struct {
	name string
	long bool
	play func(s *scene)
}

var acts = []act{
	{name: "created", play: func(s *scene) { s.all("first ") }},
	{name: "updated", play: func(s *scene) { s.all("second ") }},
	{name: "drifted", play: (*scene).drift},
	{name: "noise", play: (*scene).noise},
	{name: "cut with RST", long: true, play: func(s *scene) { s.behindTheBack(proxy.RST, "reset ") }},
	{name: "cut with FIN", long: true, play: func(s *scene) { s.behindTheBack(proxy.FIN, "closed ") }},
	{name: "held back", long: true, play: func(s *scene) {
		s.door.SetBlackHole(true)
		s.all("held back ")
		time.Sleep(2 * time.Second)
		s.door.SetBlackHole(false)
	}},
	{name: "writes refused with 429", play: func(s *scene) {
		s.front.refuse(refusal{left: 3, header: map[string]string{"Retry-After": "1"},
			status: metav1.Status{Code: 429, Reason: metav1.StatusReasonTooManyRequests, Message: "too many requests"}})
		s.all("busy ")
	}},
	{name: "writes refused with 503", play: func(s *scene) {
		s.front.refuse(refusal{left: 3,
			status: metav1.Status{Code: 503, Reason: metav1.StatusReasonServiceUnavailable, Message: "away"}})
		s.all("away ")
	}},
	{name: "watches refused with 503", long: true, play: func(s *scene) {
		s.front.refuse(refusal{left: 2, watch: true,
			status: metav1.Status{Code: 503, Reason: metav1.StatusReasonServiceUnavailable, Message: "away"}})
		s.behindTheBack(proxy.RST, "no watch ")
	}},
	{name: "410", play: func(s *scene) {
		s.front.refuse(refusal{left: 2, watch: true, status: expired()})
		s.behindTheBack(proxy.RST, "expired ")
	}},
	{name: "410 as an event", long: true, play: func(s *scene) {
		s.front.refuse(refusal{left: 2, watch: true, status: expired(), event: true})
		s.behindTheBack(proxy.FIN, "expired again ")
	}},
}

// restart ends the server, which has no history when it comes back.
func restart(t *testing.T, p *plane.Plane, scenes []*scene) {
	t.Helper()
	for _, s := range scenes {
		check(t, s.door.SetRefuse(true))
		s.door.CutAll(proxy.RST)
		s.all("restarted ")
	}
	_, err := p.CompactEtcd(t.Context())
	check(t, err)
	p.KillAPIServer()
	check(t, p.StartAPIServer(t.Context()))
	for _, s := range scenes {
		check(t, s.door.SetRefuse(false))
	}
}

// reference is the same controller as the example, with client-go.
func reference(ctx context.Context, t *testing.T, kubeconfig string) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	check(t, err)
	client := kubernetes.NewForConfigOrDie(config)
	factory := informers.NewSharedInformerFactory(client, 0)
	dynFactory := dynamicinformer.NewDynamicSharedInformerFactory(dynamic.NewForConfigOrDie(config), 0)
	mapInformer := factory.Core().V1().ConfigMaps()
	greetingInformer := dynFactory.ForResource(greetings)
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	add := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			queue.Add(key)
		}
	}
	generation := func(object any) int64 { return object.(*unstructured.Unstructured).GetGeneration() }
	_, err = greetingInformer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, DeleteFunc: add,
		UpdateFunc: func(old, now any) {
			if generation(old) != generation(now) {
				add(now)
			}
		},
	})
	check(t, err)
	_, err = mapInformer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, DeleteFunc: add, UpdateFunc: func(_, now any) { add(now) },
	})
	check(t, err)
	factory.Start(ctx.Done())
	dynFactory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	dynFactory.WaitForCacheSync(ctx.Done())
	go func() {
		<-ctx.Done()
		queue.ShutDown()
	}()
	for {
		key, quit := queue.Get()
		if quit {
			return
		}
		err := func() error {
			object, err := greetingInformer.Lister().Get(key)
			if err != nil {
				return nil
			}
			g := object.(*unstructured.Unstructured)
			text, _, _ := unstructured.NestedString(g.Object, "spec", "text")
			have, err := mapInformer.Lister().ConfigMaps(g.GetNamespace()).Get(g.GetName())
			if apierrors.IsNotFound(err) {
				_, err = client.CoreV1().ConfigMaps(g.GetNamespace()).Create(ctx, &corev1.ConfigMap{
					ObjectMeta: metav1.ObjectMeta{Name: g.GetName(), OwnerReferences: []metav1.OwnerReference{
						*metav1.NewControllerRef(g, greetings.GroupVersion().WithKind("Greeting"))}},
					Data: map[string]string{"text": text},
				}, metav1.CreateOptions{})
				if apierrors.IsAlreadyExists(err) {
					return nil
				}
				return err
			}
			if err != nil || have.Data["text"] == text {
				return err
			}
			have = have.DeepCopy()
			have.Data = map[string]string{"text": text}
			_, err = client.CoreV1().ConfigMaps(have.Namespace).Update(ctx, have, metav1.UpdateOptions{})
			if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
				return nil
			}
			return err
		}()
		if err != nil {
			queue.AddRateLimited(key)
		} else {
			queue.Forget(key)
		}
		queue.Done(key)
	}
}

func makeGreetings(t *testing.T, dyn dynamic.Interface) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/examples/controller/crd.yaml")
	check(t, err)
	object := &unstructured.Unstructured{}
	check(t, yaml.Unmarshal(text, &object.Object))
	_, err = dyn.Resource(crds).Create(t.Context(), object, metav1.CreateOptions{})
	check(t, err)
	for limit := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err = dyn.Resource(greetings).List(t.Context(), metav1.ListOptions{}); err == nil {
			return
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}

func begin(t *testing.T, p *plane.Plane, dyn dynamic.Interface, ns string) (*scene, string) {
	t.Helper()
	_, err := p.Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{})
	check(t, err)
	s := &scene{t: t, p: p, dyn: dyn, ns: ns, front: newFront(t, p, ns), want: map[string]string{}}
	door, kubeconfig := s.front.door(t, p)
	s.door = door
	return s, kubeconfig
}

// ours starts the example; the result ends it in order.
func ours(t *testing.T, kubeconfig string) func() {
	t.Helper()
	path, err := filepath.Abs("../../../build/linux/example-controller")
	check(t, err)
	cmd := exec.Command(path, kubeconfig)
	log, err := os.Create(filepath.Join(t.TempDir(), "controller.log"))
	check(t, err)
	defer log.Close()
	cmd.Stderr = log
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s", text)
		}
	})
	return func() {
		check(t, cmd.Process.Signal(syscall.SIGTERM))
		check(t, cmd.Wait())
	}
}

// Both controllers run beside each other, each in a namespace of its own that
// it takes for the whole cluster.
func TestControllerBesideClientGo(t *testing.T) {
	t.Parallel()
	// Nobody else writes ConfigMaps, and nobody collects them.
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	dyn, err := dynamic.NewForConfig(p.AdminConfig())
	check(t, err)
	makeGreetings(t, dyn)

	theirs, kubeconfig := begin(t, p, dyn, "theirs")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reference(ctx, t, kubeconfig)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	own, kubeconfig := begin(t, p, dyn, "ours")
	stop := ours(t, kubeconfig)
	scenes := []*scene{own, theirs}
	for _, act := range acts {
		if act.long && testing.Short() {
			continue
		}
		began := time.Now()
		for _, s := range scenes {
			act.play(s)
		}
		for _, s := range scenes {
			s.settle(act.name)
		}
		t.Logf("%-26s %5.1f s, writes: %d, client-go %d", act.name, time.Since(began).Seconds(),
			own.front.written(), theirs.front.written())
	}
	began := time.Now()
	restart(t, p, scenes)
	t.Logf("the server is back after %.1f s", time.Since(began).Seconds())
	for _, s := range scenes {
		s.settle("restarted")
		t.Logf("%s is right again after %.1f s", s.ns, time.Since(began).Seconds())
		check(t, s.greetings().Delete(t.Context(), name(0), metav1.DeleteOptions{}))
		check(t, p.Client().CoreV1().ConfigMaps(s.ns).Delete(t.Context(), name(0), metav1.DeleteOptions{}))
		delete(s.want, name(0))
		s.put(name(1), "last")
	}
	for _, s := range scenes {
		s.settle("deleted")
	}
	stop()
	if !reflect.DeepEqual(own.maps(), own.want) || !reflect.DeepEqual(own.want, theirs.want) {
		t.Errorf("the final states differ: %v and %v", own.maps(), theirs.want)
	}
	mine, cost := own.front.written(), theirs.front.written()
	t.Logf("writes: %d, client-go %d", mine, cost)
	if mine > cost {
		t.Errorf("%d writes, client-go needs %d", mine, cost)
	}
}
