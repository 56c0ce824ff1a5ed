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
	"strings"
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

// scene is one controller's run: its namespace, and the link that it has.
type scene struct {
	t    *testing.T
	p    *plane.Plane
	dyn  dynamic.Interface
	ns   string
	door *proxy.Proxy
	want map[string]string
}

func (s *scene) put(name, text string) {
	s.t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Greeting",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"text": text},
	}}
	client := s.dyn.Resource(greetings).Namespace(s.ns)
	_, err := client.Create(s.t.Context(), object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		patch := fmt.Sprintf(`{"spec":{"text":%q}}`, text)
		_, err = client.Patch(s.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
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

// settle waits until every ConfigMap is as it should be.
func (s *scene) settle(what string) {
	s.t.Helper()
	var have map[string]string
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); time.Sleep(100 * time.Millisecond) {
		if have = s.maps(); reflect.DeepEqual(have, s.want) {
			return
		}
	}
	s.t.Fatalf("%s, %s: ConfigMaps %v, want %v", s.ns, what, have, s.want)
}

func name(i int) string { return fmt.Sprintf("g%02d", i) }

func (s *scene) all(text string) {
	s.t.Helper()
	for i := range greetingCount {
		s.put(name(i), text+strconv.Itoa(i))
	}
}

// play is what befalls the controller; the same for both.
func (s *scene) play() {
	maps := s.p.Client().CoreV1().ConfigMaps(s.ns)
	s.all("first ")
	s.settle("created")
	s.all("second ")
	s.settle("updated")
	for i := range 3 {
		check(s.t, maps.Delete(s.t.Context(), name(i), metav1.DeleteOptions{}))
		_, err := maps.Patch(s.t.Context(), name(i+3), types.MergePatchType, []byte(`{"data":{"text":"drift"}}`), metav1.PatchOptions{})
		check(s.t, err)
	}
	s.settle("drifted")
	for i := range greetingCount { // of no interest to it
		_, err := s.dyn.Resource(greetings).Namespace(s.ns).Patch(s.t.Context(), name(i), types.MergePatchType,
			[]byte(`{"status":{"seen":true}}`), metav1.PatchOptions{}, "status")
		check(s.t, err)
	}
	for _, how := range []proxy.Cut{proxy.RST, proxy.FIN} {
		check(s.t, s.door.SetRefuse(true))
		s.door.CutAll(how)
		s.all(fmt.Sprintf("cut %d ", how))
		check(s.t, s.door.SetRefuse(false))
		s.settle("cut")
	}
	s.door.SetBlackHole(true)
	s.all("held back ")
	time.Sleep(2 * time.Second)
	s.door.SetBlackHole(false)
	s.settle("held back")
	check(s.t, s.dyn.Resource(greetings).Namespace(s.ns).Delete(s.t.Context(), name(0), metav1.DeleteOptions{}))
	delete(s.want, name(0))
	s.settle("deleted")
}

// writes counts the creations and changes of ConfigMaps that the server took.
func writes(t *testing.T, p *plane.Plane) int {
	t.Helper()
	text, err := p.Client().CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	check(t, err)
	sum := 0
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "apiserver_request_total{") || !strings.Contains(line, `resource="configmaps"`) ||
			!strings.Contains(line, `code="20`) {
			continue
		}
		for _, verb := range []string{"POST", "PUT", "PATCH", "APPLY"} {
			if strings.Contains(line, `verb="`+verb+`"`) {
				n, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
				check(t, err)
				sum += int(n)
			}
		}
	}
	return sum
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
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(100 * time.Millisecond) {
		if _, err = p.Client().CoreV1().ConfigMaps(ns).Get(t.Context(), "kube-root-ca.crt", metav1.GetOptions{}); err == nil {
			break
		}
	}
	check(t, err)
	door, kubeconfig := doorTo(t, p)
	return &scene{t: t, p: p, dyn: dyn, ns: ns, door: door, want: map[string]string{}}, kubeconfig
}

func TestControllerBesideClientGo(t *testing.T) {
	p := plane.StartT(t, plane.Options{})
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
	before := writes(t, p)
	theirs.play()
	cost := writes(t, p) - before
	cancel()
	<-ended
	check(t, dyn.Resource(greetings).Namespace(theirs.ns).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))

	ours, kubeconfig := begin(t, p, dyn, "ours")
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
	before = writes(t, p)
	ours.play()
	own := writes(t, p) - before
	check(t, cmd.Process.Signal(syscall.SIGTERM))
	check(t, cmd.Wait())
	t.Logf("writes: %d, client-go %d", own, cost)
	if !reflect.DeepEqual(ours.maps(), ours.want) || !reflect.DeepEqual(ours.want, theirs.want) {
		t.Errorf("the final states differ: %v and %v", ours.maps(), theirs.want)
	}
	if own > cost {
		t.Errorf("%d writes, client-go needs %d", own, cost)
	}
}
