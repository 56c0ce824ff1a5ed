// SPDX-License-Identifier: Apache-2.0

// Package informer holds informer-trace beside client-go's informer: against a
// scripted server with every fault, and against a real control plane.
package informer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var programs = map[string]string{
	"kubemote":  environment("INFORMER_TRACE", "../../build/linux/informer-trace"),
	"client-go": environment("INFORMER_REFERENCE", "../../build/trace/informer-reference"),
}

func environment(name, otherwise string) string {
	path := otherwise
	if value := os.Getenv(name); value != "" {
		path = value
	}
	path, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return path
}

// call is one line of a trace.
type call struct {
	Event     string `json:"event"`
	Handler   int    `json:"handler"` // 0 = the one that was there from the beginning
	Key       string `json:"key"`
	Old       string `json:"old"`
	RV        string `json:"rv"`
	Initial   bool   `json:"initial"`
	Tombstone bool   `json:"tombstone"`
}

func (c call) String() string {
	switch c.Event {
	case "add":
		return fmt.Sprintf("add %s initial=%v", c.RV, c.Initial)
	case "update":
		return fmt.Sprintf("update %s->%s", c.Old, c.RV)
	case "delete":
		return fmt.Sprintf("delete %s tombstone=%v", c.RV, c.Tombstone)
	}
	return c.Event
}

type contents struct {
	Contents map[string]string   `json:"contents"`
	Index    map[string][]string `json:"index"`
}

// text is written and read at the same time.
type text struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (s *text) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.Write(data)
}

func (s *text) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.String()
}

// trace is a running program and what it said so far.
type trace struct {
	t       *testing.T
	command *exec.Cmd
	orders  string // the file of further commands
	errors  text
	done    chan struct{}

	mu       sync.Mutex
	calls    []call
	contents []contents
	bad      error
}

func startTrace(t *testing.T, program, kubeconfig string, arguments ...string) *trace {
	orders := filepath.Join(t.TempDir(), "orders")
	arguments = append([]string{"--kubeconfig", kubeconfig, "--commands", orders}, arguments...)
	tr := &trace{t: t, orders: orders, command: exec.Command(program, arguments...), done: make(chan struct{})}
	tr.command.Stderr = &tr.errors
	tr.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := tr.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.command.Start(); err != nil {
		t.Fatal(err)
	}
	go tr.read(bufio.NewReader(out))
	t.Cleanup(func() { tr.command.Process.Kill(); <-tr.done })
	return tr
}

func (tr *trace) read(out *bufio.Reader) {
	defer close(tr.done)
	for {
		line, err := out.ReadBytes('\n')
		if err != nil {
			return
		}
		tr.take(line)
	}
}

func (tr *trace) take(line []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if bytes.HasPrefix(line, []byte(`{"contents"`)) {
		var c contents
		if err := json.Unmarshal(line, &c); err != nil {
			tr.bad = fmt.Errorf("%w in %s", err, line)
		}
		tr.contents = append(tr.contents, c)
		return
	}
	var c call
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		tr.bad = fmt.Errorf("%w in %s", err, line)
	}
	tr.calls = append(tr.calls, c)
}

func (tr *trace) until(what string, reached func() bool) {
	tr.t.Helper()
	deadline := time.Now().Add(waitLimit)
	for {
		tr.mu.Lock()
		ok, bad := reached(), tr.bad
		tr.mu.Unlock()
		if bad != nil {
			tr.t.Fatal(bad)
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			tr.t.Fatalf("%s: not within %v; calls %v; stderr:\n%s", what, waitLimit, tr.calls, tr.errors.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (tr *trace) synced() {
	tr.t.Helper()
	tr.untilCall("synced", func(c call) bool { return c.Event == "synced" })
}

// says waits for words in the log.
func (tr *trace) says(words string) {
	tr.t.Helper()
	tr.until(words, func() bool { return strings.Contains(tr.errors.String(), words) })
}

func (tr *trace) untilCall(what string, is func(c call) bool) {
	tr.t.Helper()
	tr.until(what, func() bool { return slices.ContainsFunc(tr.calls, is) })
}

// sees waits for a call about a key.
func (tr *trace) sees(key string) {
	tr.t.Helper()
	tr.untilCall("a call about "+key, func(c call) bool { return c.Key == key && c.Handler == 0 })
}

// hears waits for a call about the event of that version.
func (tr *trace) hears(rv string) {
	tr.t.Helper()
	tr.untilCall("version "+rv, func(c call) bool { return c.RV == rv })
}

func (tr *trace) askContents() contents {
	tr.t.Helper()
	tr.mu.Lock()
	have := len(tr.contents)
	tr.mu.Unlock()
	tr.command.Process.Signal(syscall.SIGUSR1)
	tr.until("contents", func() bool { return len(tr.contents) > have })
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.contents[have]
}

func (tr *trace) countLocked(is func(c call) bool) int {
	n := 0
	for _, c := range tr.calls {
		if is(c) {
			n++
		}
	}
	return n
}

func (tr *trace) count(is func(c call) bool) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.countLocked(is)
}

// order has the program do one of its commands.
func (tr *trace) order(command string) {
	tr.t.Helper()
	if err := os.WriteFile(tr.orders, []byte(command+"\n"), 0o600); err != nil {
		tr.t.Fatal(err)
	}
	done := func(c call) bool { return c.Event == "done" }
	before := tr.count(done)
	tr.command.Process.Signal(syscall.SIGUSR2)
	tr.until(command, func() bool { return tr.countLocked(done) > before })
}

// stop ends the program in order.
func (tr *trace) stop() {
	tr.t.Helper()
	tr.command.Process.Signal(syscall.SIGTERM)
	<-tr.done
	if err := tr.command.Wait(); err != nil {
		tr.t.Fatalf("SIGTERM: %v\n%s", err, tr.errors.String())
	}
}

// perKey is the calls of each key, in order, and how often "synced" came.
func (tr *trace) perKey() (map[string][]call, int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	result, synced := map[string][]call{}, 0
	for _, c := range tr.calls {
		switch {
		case c.Event == "done":
		case c.Event == "synced":
			if c.Handler == 0 {
				synced++
			}
		case c.Handler > 0:
			key := fmt.Sprintf("%s, handler %d", c.Key, c.Handler)
			result[key] = append(result[key], c)
		default:
			result[c.Key] = append(result[c.Key], c)
		}
	}
	return result, synced
}

func writeKubeconfig(t *testing.T, address string) string {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {server: \"http://%s\"}\n"+
		"contexts:\n- name: c\n  context: {cluster: c, user: u}\nusers:\n- name: u\n  user: {}\n", address)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
