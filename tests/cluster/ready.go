// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// ready says whether a node is Ready at this moment, by exit status: 0 yes,
// 1 no or not known, 2 wrong call.
func ready(args []string) int {
	fs := flag.NewFlagSet("ready", flag.ContinueOnError)
	kubeconfig := fs.String("kubeconfig", "", "file with credentials that may read the node")
	node := fs.String("node", "", "name of the node")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if *kubeconfig == "" || *node == "" {
		fmt.Fprintln(os.Stderr, "usage: kubemote-cluster ready --kubeconfig FILE --node NAME")
		return 2
	}
	state, err := readyCondition(*kubeconfig, *node)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubemote-cluster:", err)
		return 1
	}
	fmt.Printf("node %s: Ready=%s\n", *node, state)
	if state != corev1.ConditionTrue {
		return 1
	}
	return 0
}

func readyCondition(kubeconfig, name string) (corev1.ConditionStatus, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return "", err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status, nil
		}
	}
	return "none", nil
}
