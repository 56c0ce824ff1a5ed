// SPDX-License-Identifier: Apache-2.0

// How long the operations of client-go's work queue take: one line "name nanoseconds" for each measure, the same
// ones as the C program beside it. Each is the median of several runs of many operations.
package main

import (
	"fmt"
	"math/rand"
	"slices"
	"syscall"
	"time"

	"k8s.io/client-go/util/workqueue"
)

const (
	keyCount = 100
	pending  = 10000
	more     = 1000
	runs     = 31
	rounds   = 2000
)

// now is processor time, which other programs on the machine do not lengthen.
func now() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

var delays [pending + more]time.Duration

// cycle adds, takes and finishes each key.
func cycle[T comparable](keys []T) time.Duration {
	queue := workqueue.NewTyped[T]()
	defer queue.ShutDown()
	start := now()
	for range rounds {
		for _, key := range keys[:keyCount] {
			queue.Add(key)
			got, _ := queue.Get()
			queue.Done(got)
		}
	}
	return now() - start
}

// settle waits until the queue's goroutine has taken in all that was added before: the last one is ready at once.
func settle[T comparable](queue workqueue.TypedDelayingInterface[T], last T) {
	queue.AddAfter(last, 1)
	got, _ := queue.Get()
	queue.Done(got)
}

// after adds more keys while others are pending. The last key is the one to wait for.
func after[T comparable](keys []T) time.Duration {
	queue := workqueue.NewTypedDelayingQueue[T]()
	defer queue.ShutDown()
	last := keys[len(keys)-1]
	for i := range pending {
		queue.AddAfter(keys[i], delays[i])
	}
	settle(queue, last)
	start := now()
	for i := pending; i < pending+more; i++ {
		queue.AddAfter(keys[i], delays[i])
	}
	settle(queue, last)
	return now() - start
}

func measure(name string, run func() time.Duration, operations int) {
	var times []time.Duration
	for range runs {
		times = append(times, run())
	}
	slices.Sort(times)
	fmt.Printf("%s %.1f\n", name, float64(times[runs/2].Nanoseconds())/float64(operations))
}

func main() {
	random := rand.New(rand.NewSource(1))
	numbers, texts := make([]uint16, pending+more+1), make([]string, pending+more+1)
	for i := range numbers {
		numbers[i], texts[i] = uint16(i), fmt.Sprintf("namespace/key-%d", i)
	}
	for i := range delays {
		delays[i] = time.Minute + time.Duration(random.Int63n(int64(9*time.Minute)))
	}
	measure("cycle-numbers", func() time.Duration { return cycle(numbers) }, rounds*keyCount)
	measure("cycle-texts", func() time.Duration { return cycle(texts) }, rounds*keyCount)
	measure("after-numbers", func() time.Duration { return after(numbers) }, more)
	measure("after-texts", func() time.Duration { return after(texts) }, more)
}
