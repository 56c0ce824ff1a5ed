// SPDX-License-Identifier: Apache-2.0

// reference does what informer-trace does, with client-go's dynamic informer:
// one JSON line for each call of a handler, the contents at SIGUSR1.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	corev1 "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const indexName = "index"

var (
	kubeconfig = flag.String("kubeconfig", "", "file")
	resource   = flag.String("resource", "", "[group/]version/plural")
	namespace  = flag.String("n", "", "namespace, all when empty")
	selector   = flag.String("l", "", "label selector")
	index      = flag.String("index", "", "namespace or label:NAME")
	resync     = flag.Int("resync", 0, "milliseconds, 0 for none")
	commands   = flag.String("commands", "", "file with a command, read at SIGUSR2")
	quiet      = flag.Bool("quiet", false, "print no calls")
	typed      = flag.Bool("typed", false, "Go's own types, for v1/pods alone")
)

// line keeps the order of members.
type line struct {
	Event     string  `json:"event"`
	Handler   int     `json:"handler,omitempty"`
	Key       *string `json:"key,omitempty"`
	Old       *string `json:"old,omitempty"`
	RV        *string `json:"rv,omitempty"`
	Initial   *bool   `json:"initial,omitempty"`
	Tombstone *bool   `json:"tombstone,omitempty"`
}

var output sync.Mutex

func say(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

func version(obj any) *string {
	rv := obj.(metav1.Object).GetResourceVersion()
	return &rv
}

func key(obj any) *string {
	k, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj)
	if err != nil {
		panic(err)
	}
	return &k
}

func handler(number int) cache.ResourceEventHandler {
	if *quiet {
		return cache.ResourceEventHandlerDetailedFuncs{}
	}
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, initial bool) {
			say(line{Event: "add", Handler: number, Key: key(obj), RV: version(obj), Initial: &initial})
		},
		UpdateFunc: func(old, now any) {
			say(line{Event: "update", Handler: number, Key: key(now), Old: version(old), RV: version(now)})
		},
		DeleteFunc: func(obj any) {
			last := obj
			unknown, tombstone := obj.(cache.DeletedFinalStateUnknown)
			if tombstone {
				last = unknown.Obj
			}
			say(line{Event: "delete", Handler: number, Key: key(obj), RV: version(last), Tombstone: &tombstone})
		},
	}
}

func gvr() schema.GroupVersionResource {
	parts := strings.Split(*resource, "/")
	if len(parts) == 2 {
		parts = append([]string{""}, parts...)
	}
	if len(parts) != 3 {
		fail(fmt.Errorf("--resource %q is not [group/]version/plural", *resource))
	}
	return schema.GroupVersionResource{Group: parts[0], Version: parts[1], Resource: parts[2]}
}

func indexers() cache.Indexers {
	if *index == "namespace" {
		return cache.Indexers{indexName: cache.MetaNamespaceIndexFunc}
	}
	label := strings.TrimPrefix(*index, "label:")
	return cache.Indexers{indexName: func(obj any) ([]string, error) {
		value, ok := obj.(metav1.Object).GetLabels()[label]
		if !ok {
			return nil, nil
		}
		return []string{value}, nil
	}}
}

// contents relies on json.Marshal's sorting of keys.
func contents(indexer cache.Indexer) any {
	versions, values := map[string]string{}, map[string][]string{}
	for _, obj := range indexer.List() {
		versions[*key(obj)] = *version(obj)
	}
	if *index != "" {
		for _, value := range indexer.ListIndexFuncValues(indexName) {
			values[value], _ = indexer.IndexKeys(indexName, value)
		}
	}
	return map[string]any{"contents": versions, "index": values}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "reference:", err)
	os.Exit(1)
}

func newInformer(config *rest.Config) (cache.SharedIndexInformer, error) {
	tweak := func(o *metav1.ListOptions) { o.LabelSelector = *selector }
	if *typed {
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		return corev1.NewFilteredPodInformer(client, *namespace, 0, indexers(), tweak), nil
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return dynamicinformer.NewFilteredDynamicInformer(client, gvr(), *namespace, 0, indexers(), tweak).Informer(), nil
}

// program is the informer and the handlers that were added to it.
type program struct {
	informer cache.SharedIndexInformer
	handlers map[int]cache.ResourceEventHandlerRegistration
	stop     chan struct{}
}

func (p *program) add(number, resync int) {
	registration, err := p.informer.AddEventHandlerWithResyncPeriod(handler(number), time.Duration(resync)*time.Millisecond)
	if err != nil {
		fail(err)
	}
	p.handlers[number] = registration
	go func() {
		if cache.WaitForCacheSync(p.stop, registration.HasSynced) && !*quiet {
			say(line{Event: "synced", Handler: number})
		}
	}()
}

func start() *program {
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fail(err)
	}
	config.QPS = -1
	informer, err := newInformer(config)
	if err != nil {
		fail(err)
	}
	p := &program{informer, map[int]cache.ResourceEventHandlerRegistration{}, make(chan struct{})}
	p.add(0, *resync)
	go informer.Run(p.stop)
	return p
}

// take does a command. An informer of client-go can't stop and start again: it
// goes on instead.
func (p *program) take() {
	text, err := os.ReadFile(*commands)
	if err != nil {
		fail(err)
	}
	var number, resync int
	var what string
	fmt.Sscan(string(text), &what, &number, &resync)
	switch what {
	case "add":
		p.add(number, resync)
	case "remove":
		p.informer.RemoveEventHandler(p.handlers[number])
	}
	say(line{Event: "done"})
}

func main() {
	flag.Parse()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	p := start()
	for number := range signals {
		switch number {
		case syscall.SIGUSR1:
			say(contents(p.informer.GetIndexer()))
		case syscall.SIGUSR2:
			p.take()
		default:
			close(p.stop)
			return
		}
	}
}
