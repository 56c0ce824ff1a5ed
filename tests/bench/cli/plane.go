// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"kubemote.io/tests/cluster/plane"
)

const workers = 16

// startPlane starts a control plane, fills it, and writes a kubeconfig.
func startPlane(ctx context.Context, config string) (stop func(), err error) {
	p, err := plane.Start(ctx, plane.Options{})
	if err != nil {
		return nil, err
	}
	// It would make objects of its own for each namespace.
	p.StopControllerManager()
	if err = fill(ctx, p); err != nil {
		p.Stop()
		return nil, err
	}
	from, err := p.AdminKubeconfig(plane.KubeconfigOptions{})
	if err == nil {
		err = copyFile(from, config)
	}
	return p.Stop, err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, in)
	return err
}

func fill(ctx context.Context, p *plane.Plane) error {
	rest := p.AdminConfig()
	rest.QPS = -1
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	client.CoreV1().ServiceAccounts("default").Create(ctx, account, metav1.CreateOptions{})
	err = inParallel(podCount, func(i int) error {
		_, err := client.CoreV1().Pods("default").Create(ctx, realPod(i), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	return inParallel(namespaceCount, func(i int) error {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("namespace-%05d", i)}}
		_, err := client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
		return err
	})
}

func realPod(i int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("web-%05d", i), Labels: map[string]string{"app": "web", "tier": "front"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example/web:1",
			Env: []corev1.EnvVar{{Name: "MODE", Value: "production"}}}}},
	}
}

// inParallel stops at the first error.
func inParallel(count int, do func(i int) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	var once sync.Once
	var failed error
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					once.Do(func() { failed = err })
					next.Store(int64(count))
				}
			}
		})
	}
	wait.Wait()
	return failed
}
