// SPDX-License-Identifier: Apache-2.0

package informer

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	figureObjects = 500
	figureRounds  = 4 // in turn; the best of each counts, as the machine may have other work
	listObjects   = 10000
)

// pod is some 7 kB of JSON.
func pod(t *testing.T) whole {
	text, err := os.ReadFile("../bench/pod.json")
	if err != nil {
		t.Fatal(err)
	}
	var o whole
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// peer is a program that follows the pods of a server.
type peer struct {
	name, program string
	arguments     func(t *testing.T, s *server) []string
}

func peers() []peer {
	kubeconfig := func(more ...string) func(*testing.T, *server) []string {
		return func(t *testing.T, s *server) []string {
			return append([]string{"--kubeconfig", tlsKubeconfig(t, s.address)}, more...)
		}
	}
	return []peer{
		{"kubemote", programs["kubemote"], kubeconfig("--resource", "v1/pods", "--quiet")},
		{"bare-tls", environment("BENCH_BARE", "../../build/linux/bench/bare"), bareArguments},
		{"client-go", programs["client-go"], kubeconfig("--resource", "v1/pods", "--quiet", "--typed")},
		{"client-go-dynamic", programs["client-go"], kubeconfig("--resource", "v1/pods", "--quiet")},
		{"kube-rs", environment("BENCH_KUBERUST", "../../build/bench/kuberust"), kubeconfig("--pods-only")},
	}
}

func bareArguments(t *testing.T, s *server) []string {
	p, err := certificates()
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.der")
	if err := os.WriteFile(ca, p.authority, 0o600); err != nil {
		t.Fatal(err)
	}
	path := "pods?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
	return []string{"--server", s.address, "--ca", ca, "--path", path, "--report", "/dev/null"}
}

// process is what /proc tells of a running one.
type process int

// processor is the time that it used, from the kernel's own clock.
func (p process) processor() time.Duration {
	var sum time.Duration
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}

// rest waits until it does nothing any more.
func (p process) rest() time.Duration {
	last := p.processor()
	for quiet := 0; quiet < 4; {
		time.Sleep(150 * time.Millisecond)
		now := p.processor()
		quiet++
		if now-last > time.Millisecond {
			quiet = 0
		}
		last = now
	}
	return last
}

// kilobytes reads a line of /proc/PID/status.
func (p process) kilobytes(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, name+":") {
			kb, _ := strconv.Atoi(strings.Fields(line)[1])
			return kb
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

type figure struct {
	perEvent       time.Duration
	resident, most int
}

// measure starts a peer on 500 pods and changes each of them again and again.
func measure(t *testing.T, p peer, updates int) figure {
	s := newServerWith(t, true)
	s.body, s.path = pod(t), "/api/v1/pods"
	for i := range figureObjects {
		s.store("default", fmt.Sprintf("pod-%03d", i), 20)
	}
	command := exec.Command(p.program, p.arguments(t, s)...)
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), "DISABLE_HTTP2=1")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Wait()
	defer command.Process.Kill()
	s.next()
	id := process(command.Process.Pid)
	before := id.rest()
	for i := range updates {
		s.put(fmt.Sprintf("pod-%03d", i%figureObjects))
		s.mu.Lock()
		s.history = s.history[:0]
		s.mu.Unlock()
	}
	eventually(t, "everything sent", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open == nil {
			t.Fatalf("%s left the stream", p.name)
		}
		if n := len(s.open.chunks); n > 0 {
			return fmt.Errorf("%d events wait", n)
		}
		return nil
	})
	return figure{(id.rest() - before) / time.Duration(updates), id.kilobytes(t, "VmRSS"), id.kilobytes(t, "VmHWM")}
}

// TestFigures prints what an update costs each peer; only ratios count.
func TestFigures(t *testing.T) {
	text := os.Getenv("INFORMER_FIGURES")
	if text == "" {
		t.Skip("INFORMER_FIGURES=10000 measures so many updates")
	}
	updates, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%-34s %14s %10s %16s %16s\n", fmt.Sprintf("%d pods of 7 kB, %d updates", figureObjects, updates), "us an update", "times", "resident, kB", "at most, kB")
	best := map[string]figure{}
	for range figureRounds {
		for _, p := range peers() {
			if _, err := os.Stat(p.program); err != nil {
				continue
			}
			f := measure(t, p, updates/figureRounds)
			if old, ok := best[p.name]; !ok || f.perEvent < old.perEvent {
				best[p.name] = figure{f.perEvent, max(f.resident, old.resident), max(f.most, old.most)}
			}
		}
	}
	for _, p := range peers() {
		f, ok := best[p.name]
		if !ok {
			fmt.Printf("%-34s not built\n", p.name)
			continue
		}
		fmt.Printf("%-34s %14.1f %9.2fx %16d %16d\n", p.name, float64(f.perEvent.Nanoseconds())/1000,
			float64(f.perEvent)/float64(best["kubemote"].perEvent), f.resident, f.most)
	}
}

// TestNewList: a list of 10,000 objects into a cache that holds them takes no
// memory beyond what the first one took.
func TestNewList(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for i := range listObjects {
		s.store("default", fmt.Sprintf("object-%05d", i), 20)
	}
	tr := startTrace(t, environment("INFORMER_TRACE_LARGE", "../../build/linux/informer-trace-large"), writeKubeconfig(t, s.address),
		"--resource", resourceName, "--quiet")
	s.next()
	id := process(tr.command.Process.Pid)
	full := func() error {
		if n := len(tr.askContents().Contents); n != listObjects {
			return fmt.Errorf("%d objects", n)
		}
		return nil
	}
	eventually(t, "the first list", full)
	before := id.kilobytes(t, "RssAnon")
	for range 2 {
		s.unseen(endWell, func() {
			s.mu.Lock()
			for _, w := range s.sorted() {
				s.store(w.namespace, w.name, 20)
			}
			s.mu.Unlock()
			s.compact()
		})
	}
	s.put("object-00000")
	eventually(t, "the new list", func() error {
		if got, want := tr.askContents().Contents, s.contents(); got["default/object-00000"] != want["default/object-00000"] || len(got) != len(want) {
			return fmt.Errorf("%d objects", len(got))
		}
		return nil
	})
	after := id.kilobytes(t, "RssAnon")
	t.Logf("anonymous memory: %d kB after the first list of %d objects, %d kB after two more", before, listObjects, after)
	if after > before+16 {
		t.Errorf("a new list took %d kB", after-before)
	}
	tr.stop()
}
