// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kubemote.io/tests/cluster/plane"
)

const soon = time.Minute

// agent is one running agent with what it wrote.
type agent struct {
	t                      *testing.T
	name, logFile, metrics string
	cmd                    *exec.Cmd
	done                   chan struct{}
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

func nodeName(t *testing.T) string {
	name := unfit.ReplaceAllString(strings.ToLower(strings.TrimPrefix(t.Name(), "Test")), "-")
	return strings.Trim(name, "-")
}

// agentDir outlives the test, for its log.
func agentDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(logDir, nodeName(t))
	check(t, os.MkdirAll(dir, 0o755))
	return dir
}

// launcher is one thread that lives as long as this program: the kernel kills
// a child with the thread that made it.
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

// start runs an agent until the end of the test.
func start(t *testing.T, kubeconfig string, more ...string) *agent {
	t.Helper()
	return startBehind(t, nil, kubeconfig, more...)
}

// startBehind puts a command such as strace before it.
func startBehind(t *testing.T, wrap []string, kubeconfig string, more ...string) *agent {
	t.Helper()
	dir := agentDir(t)
	a := &agent{t: t, name: nodeName(t), done: make(chan struct{}),
		logFile: filepath.Join(dir, "log"), metrics: filepath.Join(dir, "metrics.prom")}
	args := append(append([]string{}, wrap...), agentBin, "run", "--kubeconfig", kubeconfig,
		"--node-name", a.name, "--metrics-file", a.metrics)
	args = append(args, more...)
	log, err := os.Create(a.logFile)
	check(t, err)
	defer log.Close()
	a.cmd = exec.Command(args[0], args[1:]...)
	a.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC"}
	a.cmd.Stdout, a.cmd.Stderr = log, log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	result := make(chan error, 1)
	launcher() <- func() { result <- a.cmd.Start() }
	check(t, <-result)
	go func() {
		a.cmd.Wait()
		close(a.done)
	}()
	t.Cleanup(a.end)
	return a
}

func (a *agent) end() {
	if a.alive() {
		syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
		<-a.done
	}
	if a.t.Failed() {
		a.t.Logf("the agent %s\n%s", a.name, a.log())
	}
}

func (a *agent) alive() bool {
	select {
	case <-a.done:
		return false
	default:
		return true
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

func (a *agent) waitLine(words ...string) string {
	a.t.Helper()
	eventually(a.t, soon, fmt.Sprintf("a log line with %q", words), func() error {
		a.mustRun()
		if len(a.lines(words...)) == 0 {
			return fmt.Errorf("%d lines so far", len(a.lines("")))
		}
		return nil
	})
	return a.lines(words...)[0]
}

// complaints counts the lines of warnings and errors.
func (a *agent) complaints() int {
	n := 0
	for line := range strings.Lines(a.log()) {
		if strings.HasPrefix(line, "E") || strings.HasPrefix(line, "W") {
			n++
		}
	}
	return n
}

// metric reads one metric from the file that the agent writes every 15 s.
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

// memory is in kB.
type memory struct{ size, resident, anonymous int }

func (a *agent) memory() memory {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	check(a.t, err)
	field := func(name string) int {
		_, rest, _ := strings.Cut(string(text), "\n"+name+":")
		words := strings.Fields(rest)
		kB, err := strconv.Atoi(words[0])
		check(a.t, err)
		return kB
	}
	return memory{field("VmSize"), field("VmRSS"), field("RssAnon")}
}

// ---- the node ----

func waitReady(t *testing.T, p *plane.Plane, name string) {
	t.Helper()
	eventually(t, 2*soon, "Ready", func() error {
		node, err := p.Client().CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("conditions %v", node.Status.Conditions)
	})
}

// markUnknown does what the node controller does with a silent node.
func markUnknown(t *testing.T, p *plane.Plane, name string) {
	t.Helper()
	patch := `{"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown"}]}}`
	_, err := p.Client().CoreV1().Nodes().Patch(t.Context(), name, types.StrategicMergePatchType, []byte(patch),
		metav1.PatchOptions{}, "status")
	check(t, err)
}

func nodeKubeconfig(t *testing.T, p *plane.Plane, server string) string {
	t.Helper()
	path, err := p.NodeKubeconfig(nodeName(t), plane.KubeconfigOptions{Server: server})
	check(t, err)
	return path
}
