// SPDX-License-Identifier: Apache-2.0

package plane_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/plane"
)

// upRun is the program's "up" as a child process.
type upRun struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines map[string]string // "kubeconfig" -> path and so on
	pids  map[string]int    // its children
	done  chan error
}

func startUp(t *testing.T, args ...string) *upRun {
	t.Helper()
	program, err := plane.Binary()
	check(t, err)
	args = append([]string{"up", "--dir", filepath.Join(t.TempDir(), "plane"), "--node", "box", "--scheduler=false"}, args...)
	u := &upRun{cmd: exec.Command(program, args...), lines: map[string]string{}, done: make(chan error, 1)}
	u.cmd.Stderr = t.Output()
	u.stdin, err = u.cmd.StdinPipe()
	check(t, err)
	stdout, err := u.cmd.StdoutPipe()
	check(t, err)
	check(t, u.cmd.Start())
	t.Cleanup(func() { u.cmd.Process.Kill() })
	u.readLines(t, stdout)
	u.pids = childrenOf(t, u.cmd.Process.Pid)
	go func() { u.done <- u.cmd.Wait() }()
	return u
}

func (u *upRun) readLines(t *testing.T, stdout io.Reader) {
	t.Helper()
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		key, value, ok := strings.Cut(scan.Text(), ": ")
		if !ok {
			t.Fatalf("unexpected line %q", scan.Text())
		}
		u.lines[key] = value
		if key == "node kubeconfig" {
			return
		}
	}
	t.Fatalf("up ended early: %v", u.cmd.Wait())
}

func (u *upRun) mustEnd(t *testing.T, status int) {
	t.Helper()
	select {
	case <-u.done:
		if got := u.cmd.ProcessState.ExitCode(); got != status {
			t.Fatalf("exit status %d, want %d", got, status)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("up does not end")
	}
	waitGone(t, u.pids)
}

func childrenOf(t *testing.T, parent int) map[string]int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	check(t, err)
	found := map[string]int{}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		pid := filepath.Base(filepath.Dir(file))
		found["child "+pid], _ = strconv.Atoi(pid)
	}
	return found
}

func TestUpRunsAndEndsOnSignal(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	if len(u.pids) != 3 {
		t.Fatalf("children %v, want 3", u.pids)
	}
	admin := clientOf(t, u.lines["kubeconfig"])
	_, err := admin.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{})
	check(t, err)
	if got := whoAmI(t, u.lines["node kubeconfig"]); got != "system:node:box" {
		t.Errorf("the server sees %q", got)
	}
	readyTells(t, u)
	check(t, u.cmd.Process.Signal(syscall.SIGTERM))
	u.mustEnd(t, 0)
}

// readyTells tries the subcommand before and after the node is there.
func readyTells(t *testing.T, u *upRun) {
	t.Helper()
	run := func() int {
		cmd := exec.Command(u.cmd.Path, "ready", "--kubeconfig", u.lines["kubeconfig"], "--node", "box")
		cmd.Run()
		return cmd.ProcessState.ExitCode()
	}
	if got := run(); got != 1 {
		t.Errorf("ready without a node: status %d, want 1", got)
	}
	nodes := clientOf(t, u.lines["node kubeconfig"]).CoreV1().Nodes()
	_, err := nodes.Create(t.Context(), readyNode("box"), metav1.CreateOptions{})
	check(t, err)
	if got := run(); got != 0 {
		t.Errorf("ready with a Ready node: status %d, want 0", got)
	}
}

func TestUpEndsAfterItsTime(t *testing.T) {
	t.Parallel()
	startUp(t, "--for", "1").mustEnd(t, 0)
}

func TestUpEndsWhenItsInputCloses(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--die-with-parent")
	u.stdin.Close()
	u.mustEnd(t, 0)
}

func TestNothingSurvivesAKilledUp(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	check(t, u.cmd.Process.Kill())
	u.mustEnd(t, -1)
}

// The parent here is a shell that ends at once and leaves "up" behind, with
// /dev/null for its input as shells give it.
func TestUpEndsWithItsParent(t *testing.T) {
	t.Parallel()
	program, err := plane.Binary()
	check(t, err)
	shell := exec.Command("sh", "-c", `"$0" up --die-with-parent --scheduler=false --dir "$1" >"$2" 2>&1 & echo $!; sleep 1`,
		program, filepath.Join(t.TempDir(), "plane"), filepath.Join(t.TempDir(), "out"))
	out, err := shell.Output()
	check(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	check(t, err)
	waitGone(t, map[string]int{"up": pid})
}
