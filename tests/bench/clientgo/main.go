// SPDX-License-Identifier: Apache-2.0

// Command clientgo does the agent's job with client-go: registers a node with
// one POST, watches it and the pods bound to it with informers, renews its
// lease and writes its status. See ../README.md for what every peer does.
//
// With DISABLE_HTTP2 set client-go opens a connection for each watch and one
// for the rest; otherwise one HTTP/2 connection carries all.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/utils/clock"
)

const (
	leasePeriod  = 10 * time.Second
	leaseSeconds = 40
	statusPeriod = 5 * time.Minute
)

var (
	kubeconfig = flag.String("kubeconfig", "", "credentials and server")
	name       = flag.String("node-name", "", "name of the Node")
	report     = flag.String("report", "", "file written at SIGUSR1")
)

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "clientgo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	node, err := register(ctx, client)
	if err != nil {
		return err
	}
	if err := startInformers(ctx, client); err != nil {
		return err
	}
	go keepLease(ctx, client, node)
	go keepStatus(ctx, client)
	return answerSignals()
}

// register returns the Node after the server accepted a Ready status.
func register(ctx context.Context, client kubernetes.Interface) (*corev1.Node, error) {
	node, err := client.CoreV1().Nodes().Create(ctx, newNode(*name), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return writeStatus(ctx, client)
	}
	return node, err
}

func writeStatus(ctx context.Context, client kubernetes.Interface) (*corev1.Node, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"labels": labels()},
		"status":   status(),
	})
	if err != nil {
		return nil, err
	}
	return client.CoreV1().Nodes().Patch(ctx, *name, types.StrategicMergePatchType, patch,
		metav1.PatchOptions{}, "status")
}

func startInformers(ctx context.Context, client kubernetes.Interface) error {
	selected := func(selector fields.Selector) informers.SharedInformerOption {
		return informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = selector.String() })
	}
	ofNode := informers.NewSharedInformerFactoryWithOptions(client, 0,
		selected(fields.OneTermEqualSelector("metadata.name", *name)))
	ofPods := informers.NewSharedInformerFactoryWithOptions(client, 0,
		selected(fields.OneTermEqualSelector("spec.nodeName", *name)))
	if err := keepLabels(ctx, client, ofNode.Core().V1().Nodes()); err != nil {
		return err
	}
	ofPods.Core().V1().Pods().Informer()
	ofNode.Start(ctx.Done())
	ofPods.Start(ctx.Done())
	return nil
}

// keepLabels sets the node's own labels right, with its status, when somebody
// else changed them.
func keepLabels(ctx context.Context, client kubernetes.Interface, nodes coreinformers.NodeInformer) error {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	add := func(object any) {
		if key, err := cache.MetaNamespaceKeyFunc(object); err == nil {
			queue.Add(key)
		}
	}
	_, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, UpdateFunc: func(_, now any) { add(now) },
	})
	reconcile := func(key string) error {
		node, err := nodes.Lister().Get(key)
		if err != nil || owns(node.Labels) {
			return nil
		}
		_, err = writeStatus(ctx, client)
		return err
	}
	go func() {
		for key, quit := queue.Get(); !quit; key, quit = queue.Get() {
			if err := reconcile(key); err != nil {
				queue.AddRateLimited(key)
			} else {
				queue.Forget(key)
			}
			queue.Done(key)
		}
	}()
	return err
}

func owns(have map[string]string) bool {
	for key, value := range labels() {
		if have[key] != value {
			return false
		}
	}
	return true
}

func keepLease(ctx context.Context, client kubernetes.Interface, node *corev1.Node) {
	owned := func(l *coordinationv1.Lease) error {
		l.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID},
		}
		return nil
	}
	lease.NewController(clock.RealClock{}, client, node.Name, leaseSeconds, nil, leasePeriod, node.Name,
		corev1.NamespaceNodeLease, owned).Run(ctx)
}

func keepStatus(ctx context.Context, client kubernetes.Interface) {
	for range time.Tick(statusPeriod) {
		if _, err := writeStatus(ctx, client); err != nil {
			fmt.Fprintln(os.Stderr, "status:", err)
		}
	}
}

// answerSignals writes the report at each SIGUSR1 and returns at SIGTERM.
func answerSignals() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	for s := range signals {
		if s != syscall.SIGUSR1 {
			return nil
		}
		if err := writeReport(); err != nil {
			return err
		}
	}
	return errors.New("no more signals")
}

func writeReport() error {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	text, err := json.Marshal(map[string]uint64{"heap_calls": stats.Mallocs})
	if err != nil {
		return err
	}
	part := *report + ".part"
	if err := os.WriteFile(part, text, 0o644); err != nil {
		return err
	}
	return os.Rename(part, *report)
}
