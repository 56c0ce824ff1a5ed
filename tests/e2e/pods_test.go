// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/plane"
)

// podTable is how many pods the agent that ships has room for.
func podTable(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(root + "/build/linux/include/km_config.h")
	check(t, err)
	found := regexp.MustCompile(`CONFIG_KM_POD_COUNT (\d+)`).FindSubmatch(text)
	if found == nil {
		t.Fatal("no CONFIG_KM_POD_COUNT")
	}
	n, err := strconv.Atoi(string(found[1]))
	check(t, err)
	return n
}

// bindMany binds pods by several hands, because each takes the server a while.
func bindMany(t *testing.T, p *plane.Plane, node string, n int) {
	t.Helper()
	var wg sync.WaitGroup
	failures := make([]error, n)
	places := make(chan struct{}, 8)
	for i := range n {
		wg.Add(1)
		places <- struct{}{}
		go func() {
			defer func() { <-places; wg.Done() }()
			failures[i] = bindPod(t.Context(), p, node, fmt.Sprintf("%s-%d", node, i), node)
		}()
	}
	wg.Wait()
	check(t, errors.Join(failures...))
}

// More pods than the table has places: the refusal shows in a metric and in
// one line of the log, nothing else suffers, memory stays as it was, and what
// was left out comes in as others go.
func TestMorePodsThanTheTableHolds(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	size, many := podTable(t), podTable(t)+36
	a := start(t, p, options{verbosity: "0"})
	waitSettled(t, p, name)
	newNamespace(t, p, name)
	bindMany(t, p, name, size)
	cachedPods(t, a, size, 2*soon)
	full := a.memory("RssAnon")
	if n := a.metric(`kubemote_pool_refused_total{pool="pod_cache"}`); n != 0 {
		t.Errorf("%v refused by a table of just the right size", n)
	}

	node := getNode(t, p, name)
	for i := size; i < many; i++ {
		makePod(t, p, name, fmt.Sprintf("%s-%d", name, i), name)
	}
	eventually(t, soon, "the refusals in the metrics", func() error {
		n := a.metric(`kubemote_pool_refused_total{pool="pod_cache"}`)
		if n < float64(many-size) || a.metric(`kubemote_watch_refused_total{resource="pods"}`) != n {
			return fmt.Errorf("%v refused", n)
		}
		return nil
	})
	a.waitLine(soon, "The cache is full", "pod_cache")
	waitRenewal(t, p, name, time.Now(), soon)
	if err := isReady(t, p, name); err != nil {
		t.Error(err)
	}
	if now := getNode(t, p, name); now.UID != node.UID {
		t.Errorf("another Node")
	}
	if over := a.memory("RssAnon"); over > full+16 {
		t.Errorf("memory grew from %d to %d kB", full, over)
	}
	check(t, count(a, 1, "The cache is full"))

	check(t, p.Client().CoreV1().Pods(name).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	eventually(t, 3*soon, "the end of all pods", func() error {
		list, err := p.Client().CoreV1().Pods(name).List(t.Context(), metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%d are there", len(list.Items))
		}
		return err
	})
	cachedPods(t, a, 0, soon)
	t.Logf("written memory %d kB with a full table, %d kB at the end", full, a.memory("RssAnon"))
	if end := a.memory("RssAnon"); end > full+32 {
		t.Errorf("memory grew from %d to %d kB", full, end)
	}
	a.stop()
	if n := a.metric("kubemote_pods_finished_total"); n < float64(size) {
		t.Errorf("%v pods finished", n)
	}
}
