// SPDX-License-Identifier: Apache-2.0

// Package elect runs two of our candidates and client-go's own for one Lease on
// a real control plane, under pauses and broken links: never two lead at once.
package elect

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

// The times of the election are short, so that many leaders follow each other.
const (
	leaseMS    = 4000
	deadlineMS = 2000
	retryMS    = 500
	leaseName  = "elect-trace"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func boottime() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return ts.Nano()
}

// claims gathers who said to lead, and when.
type claims struct {
	mu    sync.Mutex
	terms map[string]*term
}

// term is one time of a candidate as the leader.
type term struct {
	who         string
	first, last int64
	count       int
}

func (c *claims) add(who string, number int, at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := fmt.Sprintf("%s/%d", who, number)
	if c.terms[key] == nil {
		c.terms[key] = &term{who: who, first: at, last: at}
	}
	if at > c.terms[key].last {
		c.terms[key].last = at
	}
	c.terms[key].count++
}

// judge fails when the terms of two candidates overlap, and returns how many
// terms each had.
func (c *claims) judge(t *testing.T) map[string]int {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*term, 0, len(c.terms))
	counts := map[string]int{}
	for _, one := range c.terms {
		list = append(list, one)
		counts[one.who]++
	}
	sort.Slice(list, func(i, j int) bool { return list[i].first < list[j].first })
	for i := 1; i < len(list); i++ {
		before, after := list[i-1], list[i]
		if after.first <= before.last {
			t.Errorf("%s led until %d, %s from %d on: %v too long", before.who, before.last,
				after.who, after.first, time.Duration(before.last-after.first))
		}
	}
	return counts
}

// leaderSince is who claimed last, when that was after a moment.
func (c *claims) leaderSince(at int64) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.terms {
		if one.last > at {
			return one.who
		}
	}
	return ""
}

func waitForLeader(t *testing.T, c *claims) string {
	t.Helper()
	from := boottime()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
		if who := c.leaderSince(from); who != "" {
			return who
		}
	}
	t.Fatal("nobody leads within a minute")
	return ""
}

// candidate is one of ours.
type candidate struct {
	name string
	door *proxy.Proxy
	cmd  *exec.Cmd
	done chan struct{}
}

func (c *candidate) read(out io.Reader, to *claims, base int) {
	defer close(c.done)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var number int
		var at int64
		if _, err := fmt.Sscanf(lines.Text(), "lead %d %d", &number, &at); err == nil {
			to.add(c.name, base+number, at)
		}
	}
}

func program(t *testing.T) string {
	t.Helper()
	path := os.Getenv("KUBEMOTE_ELECT_TRACE")
	if path == "" {
		path = "../../../build/linux/elect-trace"
	}
	path, err := filepath.Abs(path)
	check(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func doorTo(t *testing.T, p *plane.Plane) (*proxy.Proxy, string) {
	t.Helper()
	door, err := proxy.New("127.0.0.1:0", p.Addr())
	check(t, err)
	t.Cleanup(door.Close)
	path, err := p.AdminKubeconfig(plane.KubeconfigOptions{Server: "https://" + door.Addr()})
	check(t, err)
	return door, path
}

func (c *candidate) start(t *testing.T, kubeconfig string, to *claims, base int) {
	t.Helper()
	args := []string{kubeconfig, c.name, fmt.Sprint(leaseMS), fmt.Sprint(deadlineMS), fmt.Sprint(retryMS)}
	if c.name == "one" {
		args = append(args, "release")
	}
	c.cmd = exec.Command(program(t), args...)
	log, err := os.Create(filepath.Join(t.TempDir(), c.name+".log"))
	check(t, err)
	defer log.Close()
	c.cmd.Stderr = log
	out, err := c.cmd.StdoutPipe()
	check(t, err)
	check(t, c.cmd.Start())
	c.done = make(chan struct{})
	go c.read(out, to, base)
	cmd, done := c.cmd, c.done
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s:\n%s", c.name, text)
		}
	})
}

func (c *candidate) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	<-c.done
}

// upstream runs client-go's elector again and again until the context ends.
func upstream(ctx context.Context, client kubernetes.Interface, to *claims, ended chan<- struct{}) {
	defer close(ended)
	for number := 1; ctx.Err() == nil; number++ {
		var mu sync.Mutex
		leads := false
		set := func(now bool) {
			mu.Lock()
			defer mu.Unlock()
			leads = now
		}
		one, stop := context.WithCancel(ctx)
		config := leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta:  metav1.ObjectMeta{Namespace: "default", Name: leaseName},
				Client:     client.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: "client-go"},
			},
			LeaseDuration: leaseMS * time.Millisecond,
			RenewDeadline: deadlineMS * time.Millisecond,
			RetryPeriod:   retryMS * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				// A leadership that was over before this goroutine ran is none.
				OnStartedLeading: func(c context.Context) { set(c.Err() == nil) },
				OnStoppedLeading: func() { set(false) },
			},
		}
		go func(number int) {
			for one.Err() == nil {
				at := boottime()
				mu.Lock()
				now := leads
				mu.Unlock()
				if now {
					to.add("client-go", number, at)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}(number)
		leaderelection.RunOrDie(one, config)
		stop()
	}
}

func TestNeverTwoLeaders(t *testing.T) {
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	all := &claims{terms: map[string]*term{}}
	ours := []*candidate{{name: "one"}, {name: "two"}}
	configs := map[string]string{}
	doors := map[string]*proxy.Proxy{}
	for _, c := range ours {
		c.door, configs[c.name] = doorTo(t, p)
		doors[c.name] = c.door
		c.start(t, configs[c.name], all, 0)
	}
	door, path := doorTo(t, p)
	doors["client-go"] = door
	config, err := clientcmd.BuildConfigFromFlags("", path)
	check(t, err)
	config.Timeout = time.Second // as NewFromKubeconfig sets it for this deadline
	client, err := kubernetes.NewForConfig(config)
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go upstream(ctx, client, all, ended)

	random := rand.New(rand.NewSource(1))
	rounds := 24
	if testing.Short() {
		rounds = 6
	}
	for i := range rounds {
		who := waitForLeader(t, all)
		accident(t, i, who, ours, doors, configs, all, random)
	}
	waitForLeader(t, all)
	cancel()
	<-ended
	for _, c := range ours {
		c.stop()
	}
	counts := all.judge(t)
	t.Logf("terms: %v", counts)
	for _, who := range []string{"one", "two", "client-go"} {
		if counts[who] == 0 && !testing.Short() {
			t.Errorf("%s never led", who)
		}
	}
	released(t, p)
}

// accident befalls the leader; then others get their chance.
func accident(t *testing.T, i int, who string, ours []*candidate, doors map[string]*proxy.Proxy,
	configs map[string]string, all *claims, random *rand.Rand) {
	t.Helper()
	door := doors[who]
	long := time.Duration(leaseMS+1000+random.Intn(3000)) * time.Millisecond
	short := time.Duration(500+random.Intn(leaseMS-1000)) * time.Millisecond
	var mine *candidate
	for _, c := range ours {
		if c.name == who {
			mine = c
		}
	}
	kind := i % 6
	if mine == nil && (kind == 0 || kind == 1 || kind == 5) {
		kind = 2 // client-go shares this process, and goes on leading after a pause by design
	}
	t.Logf("%d: %s leads, accident %d", i, who, kind)
	switch kind {
	case 0, 1: // paused: beyond the lease, or about as long as it
		check(t, mine.cmd.Process.Signal(syscall.SIGSTOP))
		if kind == 1 {
			long = time.Duration(leaseMS-500+random.Intn(1000)) * time.Millisecond
		}
		time.Sleep(long)
		check(t, mine.cmd.Process.Signal(syscall.SIGCONT))
	case 2: // nothing passes; what was held back arrives late
		door.SetBlackHole(true)
		time.Sleep(long)
		door.SetBlackHole(false)
	case 3: // refused
		check(t, door.SetRefuse(true))
		door.CutAll(proxy.RST)
		time.Sleep(long)
		check(t, door.SetRefuse(false))
	case 4: // many cuts that a renewal survives
		for end := time.Now().Add(short); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			door.CutAll(proxy.RST)
		}
	case 5: // ends and comes back
		mine.stop()
		mine.start(t, configs[who], all, 1000*(i+1))
	}
	time.Sleep(time.Duration(random.Intn(1500)) * time.Millisecond)
}

// released finds the Lease as the last of ours left it, readable for everyone.
func released(t *testing.T, p *plane.Plane) {
	t.Helper()
	lease, err := p.Client().CoordinationV1().Leases("default").Get(t.Context(), leaseName, metav1.GetOptions{})
	check(t, err)
	record := resourcelock.LeaseSpecToLeaderElectionRecord(&lease.Spec)
	if record.LeaderTransitions < 1 || record.RenewTime.IsZero() || record.AcquireTime.IsZero() {
		t.Errorf("the record is %+v", record)
	}
	t.Logf("record in the end: %s", strings.TrimSpace(fmt.Sprintf("%+v", *record)))
}
