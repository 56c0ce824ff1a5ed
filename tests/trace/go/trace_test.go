// SPDX-License-Identifier: Apache-2.0

// Package trace runs the operations of queue-trace on client-go's own rate-limited queue with its fake clock.
// It is a test binary because testing/synctest tells when the queue's goroutines have nothing left to do, and
// that works in tests only.
package trace

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/util/workqueue"
	testingclock "k8s.io/utils/clock/testing"
)

// The framework's own words must not mix with the answers.
var answers = os.Stdout

func TestMain(m *testing.M) {
	os.Stdout = os.Stderr
	os.Exit(m.Run())
}

// A queue under trace and what must be released when it goes.
type traced struct {
	clock    *testingclock.FakeClock
	queue    workqueue.TypedRateLimitingInterface[string]
	taken    map[string]bool
	drainers []chan struct{}
}

func newTraced() *traced {
	clock := testingclock.NewFakeClock(time.Unix(1000000, 0))
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[string](5*time.Millisecond, 1000*time.Second)
	config := workqueue.TypedRateLimitingQueueConfig[string]{Clock: clock}
	queue := workqueue.NewTypedRateLimitingQueueWithConfig(limiter, config)
	synctest.Wait()
	return &traced{clock: clock, queue: queue, taken: map[string]bool{}}
}

// get does not block: nobody else takes keys.
func (t *traced) get() string {
	if t.queue.Len() == 0 && !t.queue.ShuttingDown() {
		return "-"
	}
	key, shutdown := t.queue.Get()
	if shutdown {
		return "shutdown"
	}
	t.taken[key] = true
	return key
}

func (t *traced) drain() string {
	ended := make(chan struct{})
	go func() {
		t.queue.ShutDownWithDrain()
		close(ended)
	}()
	synctest.Wait()
	select {
	case <-ended:
		return "drained"
	default:
		t.drainers = append(t.drainers, ended)
		return "draining"
	}
}

// close ends the queue's goroutines. A drain of a queue that was shut down before ends only when all is done, and
// each done wakes one drain.
func (t *traced) close() {
	t.queue.ShutDown()
	for key := range t.taken {
		t.queue.Done(key)
	}
	for range t.drainers {
		t.queue.Done("none")
	}
	for _, ended := range t.drainers {
		<-ended
	}
	synctest.Wait()
}

// bare runs operations without an argument, "" when it is none.
func (t *traced) bare(what string) string {
	switch what {
	case "get":
		return t.get()
	case "len":
		return strconv.Itoa(t.queue.Len())
	case "shutdown":
		t.queue.ShutDown()
		synctest.Wait()
		return "ok"
	case "drain":
		return t.drain()
	case "reset":
		t.close()
		*t = *newTraced()
		return "ok"
	}
	return ""
}

func (t *traced) keyed(what, key string) string {
	switch what {
	case "add":
		t.queue.Add(key)
	case "done":
		t.queue.Done(key)
	case "ratelimited":
		t.queue.AddRateLimited(key)
		synctest.Wait()
	case "forget":
		t.queue.Forget(key)
	case "requeues":
		return strconv.Itoa(t.queue.NumRequeues(key))
	default:
		return "error"
	}
	return "ok"
}

// The longest duration is 292 years.
const maxMilliseconds = 1000000000000

func milliseconds(text string) (time.Duration, bool) {
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.Duration(ms) * time.Millisecond, err == nil && ms <= maxMilliseconds && ms >= -maxMilliseconds
}

func (t *traced) run(line string) string {
	words := strings.Fields(line)
	switch {
	case len(words) == 1:
		if answer := t.bare(words[0]); answer != "" {
			return answer
		}
	case len(words) == 2 && words[0] == "advance":
		if by, ok := milliseconds(words[1]); ok {
			t.clock.Step(by)
			synctest.Wait()
			return "ok"
		}
	case len(words) == 2:
		return t.keyed(words[0], words[1])
	case len(words) == 3 && words[0] == "after":
		if by, ok := milliseconds(words[2]); ok {
			t.queue.AddAfter(words[1], by)
			synctest.Wait()
			return "ok"
		}
	}
	return "error"
}

func TestTrace(t *testing.T) {
	if os.Getenv("QUEUE_TRACE") == "" {
		t.Skip("reads operations when QUEUE_TRACE is set")
	}
	synctest.Test(t, func(t *testing.T) {
		in := bufio.NewReaderSize(os.Stdin, 1<<16)
		out := bufio.NewWriterSize(answers, 1<<16)
		defer out.Flush()
		queue := newTraced()
		defer func() { queue.close() }()
		for {
			if in.Buffered() == 0 {
				out.Flush()
			}
			line, err := in.ReadString('\n')
			if line == "" && err != nil {
				return
			}
			fmt.Fprintln(out, queue.run(line))
		}
	})
}
