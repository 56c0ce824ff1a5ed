// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
)

// running is an example that goes on until it is told to stop.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{}

	mu    sync.Mutex
	lines []string
}

func startExample(t *testing.T, name string, args ...string) *running {
	t.Helper()
	config, err := cluster.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, cmd: exec.Command(filepath.Join(root, "build/linux/examples", name), args...), done: make(chan struct{})}
	r.cmd.Env = []string{"KUBECONFIG=" + config, "HOME=" + t.TempDir(), "PATH=/nonexistent"}
	r.cmd.Stderr = &r.stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go r.read(bufio.NewScanner(out))
	t.Cleanup(func() { r.cmd.Process.Kill(); <-r.done })
	return r
}

func (r *running) read(out *bufio.Scanner) {
	defer close(r.done)
	for out.Scan() {
		r.mu.Lock()
		r.lines = append(r.lines, out.Text())
		r.mu.Unlock()
	}
}

// says waits for lines that match, in this order; others may stand between them.
func (r *running) says(patterns ...string) {
	r.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		r.mu.Lock()
		next := 0
		for _, line := range r.lines {
			if next < len(patterns) && regexp.MustCompile("^"+patterns[next]+"$").MatchString(line) {
				next++
			}
		}
		all := strings.Join(r.lines, "\n")
		r.mu.Unlock()
		if next == len(patterns) {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("no line %q in\n%s", patterns[next], all)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (r *running) stop() []string {
	r.t.Helper()
	r.cmd.Process.Signal(syscall.SIGTERM)
	<-r.done
	if err := r.cmd.Wait(); err != nil {
		r.t.Fatalf("%v\n%s", err, r.stderr.String())
	}
	return r.lines
}

func kubectl(t *testing.T, ns, args string) {
	t.Helper()
	if out := live(t, theirs, ns, "", step{args: args}); out.code != 0 {
		t.Fatal(args, out.stderr)
	}
}

func TestExampleWatches(t *testing.T) {
	kubectl(t, "default", "create namespace watched")
	kubectl(t, "watched", "create configmap there")
	w := startExample(t, "watch", "configmaps", "watched")
	w.says(`ADDED    watched/there at \d+`)
	kubectl(t, "watched", "create configmap new")
	kubectl(t, "watched", "label configmap new a=b")
	kubectl(t, "watched", "delete configmap there")
	w.says(`ADDED    watched/new at \d+`, `MODIFIED watched/new at \d+`, `DELETED  watched/there at \d+`)
	w.stop()
	some := startExample(t, "watch", "configmaps", "watched", "a=b")
	some.says(`ADDED    watched/new at \d+`)
	for _, line := range some.stop() {
		if strings.Contains(line, "kube-root-ca.crt") {
			t.Error("not selected:", line)
		}
	}
	failed := example(t, "watch", "no-such-things")
	if failed.code != 1 || !strings.Contains(failed.stderr, "could not find the requested resource") {
		t.Errorf("exit code %d, %q", failed.code, failed.stderr)
	}
	kubectl(t, "default", "delete namespace watched --wait=false")
}

func TestExampleInformer(t *testing.T) {
	kubectl(t, "default", "create namespace counted")
	kubectl(t, "counted", "create configmap one")
	w := startExample(t, "informer")
	w.says(`there counted/one`, `synced`)
	kubectl(t, "counted", "create configmap two")
	w.says(`synced`, `added counted/two`, `counted has \d+`)
	kubectl(t, "counted", "label configmap two a=b")
	kubectl(t, "counted", "delete configmap one")
	w.says(`changed counted/two`, `deleted counted/one`, `counted has \d+`)
	lines := w.stop()
	var counts []int
	for _, line := range lines {
		var n int
		if _, err := fmt.Sscanf(line, "counted has %d", &n); err == nil {
			counts = append(counts, n)
		}
	}
	if n := len(counts); n < 2 || counts[n-1] != counts[n-2]-1 {
		t.Errorf("counts %v", counts)
	}
	kubectl(t, "default", "delete namespace counted --wait=false")
}

func TestExampleResumes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "version")
	kubectl(t, "default", "create namespace resumed")
	kubectl(t, "resumed", "create configmap first")
	w := startExample(t, "resume", file, "resumed")
	w.says(`seen first at \d+`)
	w.stop()
	kubectl(t, "resumed", "create configmap second")
	kubectl(t, "resumed", "delete configmap first")
	w = startExample(t, "resume", file, "resumed")
	w.says(`seen second at \d+`, `gone first at \d+`)
	kubectl(t, "resumed", "label configmap second a=b")
	w.says(`seen second at \d+`, `gone first at \d+`, `seen second at \d+`)
	for _, line := range w.stop() {
		if strings.HasPrefix(line, "seen first") {
			t.Error("it came again:", line)
		}
	}
	kubectl(t, "default", "delete namespace resumed --wait=false")
}
