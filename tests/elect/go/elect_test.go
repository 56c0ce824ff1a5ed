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
	"strconv"
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

const leaseName = "elect-trace"

// The times of the election are short, so that many leaders follow each other.
var leaseMS, deadlineMS, retryMS = 4000, 2000, 500

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
			LeaseDuration: time.Duration(leaseMS) * time.Millisecond,
			RenewDeadline: time.Duration(deadlineMS) * time.Millisecond,
			RetryPeriod:   time.Duration(retryMS) * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				// A leadership that was over before this goroutine ran is none.
				OnStartedLeading: func(c context.Context) { set(c.Err() == nil) },
				OnStoppedLeading: func() { set(false) },
			},
		}
		go sample(one, to, number, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return leads
		})
		leaderelection.RunOrDie(one, config)
		stop()
	}
}

// sample asks client-go's elector all the time. A process that was not run for
// a while is a paused one: it does not count what it says before the elector
// had its turn too.
func sample(ctx context.Context, to *claims, number int, leads func() bool) {
	const late = int64(400 * time.Millisecond)
	last, quiet := boottime(), int64(0)
	for ctx.Err() == nil {
		at := boottime()
		if at-last > late {
			quiet = at + late
		}
		if last = at; leads() && at > quiet {
			to.add("client-go", number, at)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// seedOf is 1 unless it is said: with another one the accidents have another
// order and other lengths.
func seedOf(text string) int64 {
	if seed, err := strconv.ParseInt(text, 10, 64); err == nil {
		return seed
	}
	return 1
}

func TestNeverTwoLeaders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		leaseMS, deadlineMS, retryMS = 3000, 1500, 300
	}
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

	seed := seedOf(os.Getenv("ELECT_SEED"))
	random := rand.New(rand.NewSource(seed))
	kinds := []int{0, 1, 2, 3, 4, 5, 6}
	rounds := 28
	if testing.Short() {
		kinds = []int{0, 6, 2, 3}
		rounds = len(kinds)
	}
	if seed != 1 {
		random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	}
	for i := range rounds {
		who := waitForLeader(t, all)
		accident(t, p, i, kinds[i%len(kinds)], who, ours, doors, configs, all, random)
	}
	waitForLeader(t, all)
	cancel()
	<-ended
	ours[1].stop()
	waitForLeader(t, all)
	seriesOfEvents(t, p, ours[0], all)
	ours[0].stop()
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
func accident(t *testing.T, p *plane.Plane, i, kind int, who string, ours []*candidate, doors map[string]*proxy.Proxy,
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
	case 6: // the wall clocks of both jump, half an hour at a time; nobody should mind
		for _, offset := range []time.Duration{30 * time.Minute, -30 * time.Minute, 0} {
			for _, c := range ours {
				check(t, c.cmd.Process.Signal(syscall.SIGUSR1))
			}
			if mine != nil {
				renewedAt(t, p, who, offset)
			}
			time.Sleep(time.Duration(retryMS) * 2 * time.Millisecond)
		}
	}
	time.Sleep(time.Duration(random.Intn(1500)) * time.Millisecond)
}

// seriesOfEvents makes the only candidate that is left lead once more: the
// server must have one Event about it, with a series.
func seriesOfEvents(t *testing.T, p *plane.Plane, c *candidate, all *claims) {
	t.Helper()
	check(t, c.door.SetRefuse(true))
	c.door.CutAll(proxy.RST)
	time.Sleep(time.Duration(leaseMS+retryMS) * time.Millisecond)
	check(t, c.door.SetRefuse(false))
	waitForLeader(t, all)
	var found []string
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(200 * time.Millisecond) {
		list, err := p.Client().EventsV1().Events("default").List(t.Context(), metav1.ListOptions{})
		check(t, err)
		found = nil
		for _, e := range list.Items {
			if e.ReportingInstance != c.name || e.Regarding.Kind != "Lease" || e.Regarding.Name != leaseName {
				continue
			}
			found = append(found, fmt.Sprintf("%s %s %+v", e.Reason, e.Note, e.Series))
			if e.Reason == "LeaderElection" && e.Note == c.name+" became leader" && e.Series != nil && e.Series.Count >= 2 {
				return
			}
		}
	}
	t.Errorf("no series of events that %s became the leader, but %q", c.name, found)
}

// renewedAt waits until the leader renews by a clock that is so far off, or
// somebody else leads.
func renewedAt(t *testing.T, p *plane.Plane, who string, offset time.Duration) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
		lease, err := p.Client().CoordinationV1().Leases("default").Get(t.Context(), leaseName, metav1.GetOptions{})
		check(t, err)
		if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity != who ||
			(time.Until(lease.Spec.RenewTime.Time)-offset).Abs() < 10*time.Minute {
			return
		}
	}
	t.Errorf("%s does not renew by a clock that is %v off", who, offset)
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
