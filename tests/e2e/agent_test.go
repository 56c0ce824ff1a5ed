// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
)

// options says how an agent is started; only the kubeconfig is needed.
type options struct {
	name       string   // --node-name; empty: nodeName(t)
	kubeconfig string   // --kubeconfig; empty: a node certificate of the plane
	config     string   // body of the configuration file; empty: none
	args       []string // further arguments
	verbosity  string   // -v; empty: 2
	binary     string   // empty: the agent that ships
	wrap       []string // a command in front of it, such as strace
	launch     func(*exec.Cmd) error
}

// agent is one running agent with what it wrote.
type agent struct {
	t       *testing.T
	name    string
	dir     string
	cmd     *exec.Cmd
	began   time.Time
	done    chan struct{}
	logFile string // standard error
	outFile string // standard output
	metrics string
	secrets []string // must not stand in what it writes
	wanted  bool     // the test asked for its end
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// nodeName is a node name that belongs to the test alone.
func nodeName(t *testing.T) string {
	t.Helper()
	name := unfit.ReplaceAllString(strings.ToLower(strings.TrimPrefix(t.Name(), "Test")), "-")
	if len(name) > 50 {
		name = name[len(name)-50:]
	}
	return strings.Trim(name, "-")
}

var agents atomic.Int64

// agentDir is a fresh folder for one agent's files. It outlives the test.
func agentDir(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(logDir, unfit.ReplaceAllString(strings.ToLower(t.Name()), "-"),
		fmt.Sprintf("%s-%d", name, agents.Add(1)))
	check(t, os.MkdirAll(dir, 0o755))
	return dir
}

// launcher runs functions on one thread that lives as long as this program:
// the kernel kills a child with the thread that made it.
var launcher = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

func launch(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	launcher() <- func() { result <- cmd.Start() }
	return <-result
}

// configFile writes an agent's configuration.
func configFile(t *testing.T, dir, body string) string {
	t.Helper()
	path := filepath.Join(dir, "config.yaml")
	head := "apiVersion: kubemote.io/v1alpha1\nkind: AgentConfig\n"
	check(t, os.WriteFile(path, []byte(head+body), 0o644))
	return path
}

// start starts an agent. At the end of the test it is told to end, must do so
// in good order, and what it wrote is judged; its log is printed when the test
// failed.
func start(t *testing.T, p *plane.Plane, o options) *agent {
	t.Helper()
	if o.name == "" {
		o.name = nodeName(t)
	}
	dir := agentDir(t, o.name)
	a := &agent{
		t: t, name: o.name, dir: dir, done: make(chan struct{}),
		logFile: filepath.Join(dir, "log"), outFile: filepath.Join(dir, "out"),
		metrics: filepath.Join(dir, "metrics.prom"),
	}
	if o.kubeconfig == "" {
		o.kubeconfig = nodeKubeconfig(t, p, o.name, plane.KubeconfigOptions{})
	}
	a.secrets = secretsOf(t, o.kubeconfig)
	if o.binary == "" {
		o.binary = agentBin
	}
	if o.verbosity == "" {
		o.verbosity = "2"
	}
	if o.launch == nil {
		o.launch = launch
	}
	args := append(append([]string{}, o.wrap...), o.binary, "run", "--kubeconfig", o.kubeconfig,
		"--node-name", o.name, "--metrics-file", a.metrics, "-v", o.verbosity)
	if o.config != "" {
		args = append(args, "--config", configFile(t, dir, o.config))
	}
	a.run(append(args, o.args...), o.launch)
	return a
}

func nodeKubeconfig(t *testing.T, p *plane.Plane, name string, o plane.KubeconfigOptions) string {
	t.Helper()
	path, err := p.NodeKubeconfig(name, o)
	check(t, err)
	return path
}

func (a *agent) run(args []string, launch func(*exec.Cmd) error) {
	a.t.Helper()
	check(a.t, os.WriteFile(filepath.Join(a.dir, "command"), []byte(strings.Join(args, " ")+"\n"), 0o644))
	log, err := os.Create(a.logFile)
	check(a.t, err)
	defer log.Close()
	out, err := os.Create(a.outFile)
	check(a.t, err)
	defer out.Close()
	a.cmd = exec.Command(args[0], args[1:]...)
	a.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + a.dir, "TZ=UTC"}
	a.cmd.Stdout, a.cmd.Stderr = out, log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	a.began = time.Now()
	check(a.t, launch(a.cmd))
	go func() {
		a.cmd.Wait()
		close(a.done)
	}()
	a.t.Cleanup(a.cleanUp)
}

func (a *agent) cleanUp() {
	a.end()
	a.judgeLog()
	if a.t.Failed() {
		a.t.Logf("the agent %s\n%s", a.name, lastLines(a.log(), 60))
	}
}

// stopWithin bounds the agent's end: it waits 12 s for a write under way, and
// a busy machine for all else.
const stopWithin = 30 * time.Second

// end ends the agent as an operator does and finds that it obeys. One that
// ended before without being asked is an error.
func (a *agent) end() {
	if !a.alive() {
		if !a.wanted {
			a.t.Errorf("the agent %s ended by itself: %v", a.name, a.cmd.ProcessState)
		}
		return
	}
	pid := a.pid()
	syscall.Kill(pid, syscall.SIGCONT)
	syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-a.done:
	case <-time.After(stopWithin):
		a.t.Errorf("the agent %s still runs %s after SIGTERM", a.name, stopWithin)
		syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
		<-a.done
	}
	if code := a.cmd.ProcessState.ExitCode(); code != 0 {
		a.t.Errorf("the agent %s: %v after SIGTERM", a.name, a.cmd.ProcessState)
	}
}

func lastLines(text string, most int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if cut := len(lines) - most; cut > 0 {
		lines = append([]string{fmt.Sprintf("... %d lines before", cut)}, lines[cut:]...)
	}
	return strings.Join(lines, "\n")
}

func (a *agent) alive() bool {
	select {
	case <-a.done:
		return false
	default:
		return true
	}
}

// pid is the agent's own, also behind a wrapper that forks.
func (a *agent) pid() int {
	kids, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", a.cmd.Process.Pid, a.cmd.Process.Pid))
	if first := strings.Fields(string(kids)); err == nil && len(first) > 0 {
		if pid, err := strconv.Atoi(first[0]); err == nil {
			return pid
		}
	}
	return a.cmd.Process.Pid
}

func (a *agent) signal(s syscall.Signal) {
	a.t.Helper()
	if !a.alive() {
		a.t.Fatalf("the agent %s is gone already", a.name)
	}
	check(a.t, syscall.Kill(a.pid(), s))
}

// kill ends the agent as a power cut does.
func (a *agent) kill() {
	a.t.Helper()
	a.signal(syscall.SIGKILL)
	<-a.done
	a.wanted = true
}

// wait returns the exit status, -1 when a signal ended the agent.
func (a *agent) wait(limit time.Duration) int {
	a.t.Helper()
	select {
	case <-a.done:
	case <-time.After(limit):
		a.t.Fatalf("the agent %s still runs after %s", a.name, limit)
	}
	a.wanted = true
	return a.cmd.ProcessState.ExitCode()
}

// stop ends the agent in good order and fails unless it exits with 0.
func (a *agent) stop() {
	a.t.Helper()
	a.signal(syscall.SIGTERM)
	if code := a.wait(stopWithin); code != 0 {
		a.t.Fatalf("the agent %s: exit status %d after SIGTERM", a.name, code)
	}
}

func (a *agent) mustRun() {
	a.t.Helper()
	if !a.alive() {
		a.t.Fatalf("the agent %s ended by itself: %v", a.name, a.cmd.ProcessState)
	}
}

func (a *agent) log() string {
	text, _ := os.ReadFile(a.logFile)
	return string(text)
}

func (a *agent) out() string {
	text, _ := os.ReadFile(a.outFile)
	return string(text)
}

// lines returns the log lines that contain all of the words.
func (a *agent) lines(words ...string) []string {
	var found []string
next:
	for line := range strings.Lines(a.log()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		found = append(found, strings.TrimSpace(line))
	}
	return found
}

// waitLine waits until a line of the log contains all of the words.
func (a *agent) waitLine(limit time.Duration, words ...string) string {
	a.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		if found := a.lines(words...); len(found) > 0 {
			return found[0]
		}
		if time.Now().After(end) {
			a.t.Fatalf("no log line with %q after %s", words, limit)
		}
	}
}

// metric reads one metric from the file that the agent writes every 15 s and
// at its end; 0 when it is not there.
func (a *agent) metric(name string) float64 {
	text, _ := os.ReadFile(a.metrics)
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name+" "); found {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			check(a.t, err)
			return value
		}
	}
	return 0
}

// memory reads a line of /proc/PID/status, in kB. RssAnon is what the program
// wrote to; the pages of its file come and go (VmRSS).
func (a *agent) memory(field string) int {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.pid()))
	check(a.t, err)
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) > 1 && words[0] == field+":" {
			kB, err := strconv.Atoi(words[1])
			check(a.t, err)
			return kB
		}
	}
	a.t.Fatalf("no %s in the status of process %d", field, a.pid())
	return 0
}

// cpu is the processor time that the agent used.
func (a *agent) cpu() time.Duration {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", a.pid()))
	check(a.t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	words := strings.Fields(rest)
	user, err := strconv.Atoi(words[11])
	check(a.t, err)
	system, err := strconv.Atoi(words[12])
	check(a.t, err)
	return time.Duration(user+system) * time.Second / 100
}
