// SPDX-License-Identifier: Apache-2.0

// How long reads and updates of client-go's store take: one line "name nanoseconds" for each measure, the same ones as
// the C program beside it. Each is the median of several runs of many operations.
package main

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

const (
	objects    = 500
	large      = 10000
	namespaces = 10
	runs       = 31
	rounds     = 200
)

var (
	sink     int
	spaces   [large]string
	names    [large]string
	keys     [large]string
	pods     [large]*corev1.Pod
	byName   = cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	indexer  = cache.NewIndexer(cache.MetaNamespaceKeyFunc, byName)
	plain    = cache.NewStore(cache.MetaNamespaceKeyFunc)
	manyPods = cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
)

// now is processor time, which other programs on the machine do not lengthen.
func now() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func getByKey(store cache.Store, count, step, times int) func() {
	return func() {
		for range times {
			for i := range count {
				if _, found, _ := store.GetByKey(keys[i*step%count]); found {
					sink++
				}
			}
		}
	}
}

func getByNames() {
	lister := listers.NewPodLister(indexer)
	for range rounds {
		for i := range objects {
			if pod, _ := lister.Pods(spaces[i]).Get(names[i]); pod != nil {
				sink++
			}
		}
	}
}

func update(store cache.Store) func() {
	return func() {
		for range rounds / 10 {
			for i := range objects {
				if store.Update(pods[i]) == nil {
					sink++
				}
			}
		}
	}
}

func byIndex() {
	for round := range rounds {
		found, _ := indexer.ByIndex(cache.NamespaceIndex, spaces[round%namespaces])
		sink += len(found)
	}
}

func list() {
	for range rounds {
		sink += len(indexer.List())
	}
}

func measure(name string, run func(), operations int) {
	var times []time.Duration
	for range runs {
		start := now()
		run()
		times = append(times, now()-start)
	}
	slices.Sort(times)
	fmt.Printf("%s %.1f\n", name, float64(times[runs/2].Nanoseconds())/float64(operations))
}

func main() {
	for i := range large {
		spaces[i], names[i] = fmt.Sprintf("namespace-%d", i%namespaces), fmt.Sprintf("deployment-6d4cf56db6-%05d", i)
		keys[i] = spaces[i] + "/" + names[i]
		pods[i] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: spaces[i], Name: names[i], ResourceVersion: "1"}}
		_ = manyPods.Add(pods[i])
		if i < objects {
			_ = indexer.Add(pods[i])
			_ = plain.Add(pods[i])
		}
	}
	runtime.GC()
	measure("get-key", getByKey(indexer, objects, 1, rounds), rounds*objects)
	measure("get-names", getByNames, rounds*objects)
	measure("get-large", getByKey(manyPods, large, 7, rounds/20), rounds/20*large)
	measure("update-indexed", update(indexer), rounds/10*objects)
	measure("update-plain", update(plain), rounds/10*objects)
	measure("by-index", byIndex, rounds*objects/namespaces)
	measure("list", list, rounds*objects)
}
