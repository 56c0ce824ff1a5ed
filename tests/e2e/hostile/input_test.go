// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// badInput is one mistake. In arguments, files and wanted words DIR stands for
// the folder of the files and SERVER for a listener that nobody may reach.
type badInput struct {
	name string
	// kubeconfig is DIR/kubeconfig; empty: a good one.
	kubeconfig string
	files      map[string]string
	// args follow the program's name; nil: run with kubeconfig and node name.
	args   []string
	config string // body of DIR/config.yaml behind its head of two lines
	// prepare does what a map of files can't.
	prepare func(t *testing.T, dir string)
	env     []string
	want    []string
	// kubectl is what it thinks of the same kubeconfig.
	kubectl verdict
}

type verdict int

const (
	notAsked verdict = iota // no kubeconfig is at fault
	refuses
	accepts // a thing that kubectl can do and the agent can't, or that means less to it
)

// doors is a listener that counts who came and sends everybody away.
type doors struct {
	net.Listener
	count atomic.Int64
}

func newDoors(t *testing.T) *doors {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	d := &doors{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.count.Add(1)
			c.Close()
		}
	}()
	return d
}

func (d *doors) url() string { return "https://" + d.Addr().String() }

// openDir is a folder that every user of the machine can read.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kubemote-hostile-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o777))
	return dir
}

const configHead = "apiVersion: kubemote.io/v1alpha1\nkind: AgentConfig\n"

// laidOut writes the files of a case and returns the folder.
func (in *badInput) laidOut(t *testing.T, server string) string {
	t.Helper()
	dir := openDir(t)
	fill := strings.NewReplacer("DIR", dir, "SERVER", server)
	files := map[string]string{"kubeconfig": in.kubeconfig}
	if in.kubeconfig == "" {
		files["kubeconfig"] = goodKubeconfig("SERVER", makeCredentials()(t))
	}
	if in.config != "" {
		files["config.yaml"] = configHead + in.config
	}
	for name, text := range in.files {
		files[name] = text
	}
	for name, text := range files {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(fill.Replace(text)), 0o644))
	}
	if in.prepare != nil {
		in.prepare(t, dir)
	}
	return dir
}

func (in *badInput) environment(dir string) []string {
	var env []string
	for _, entry := range in.env {
		env = append(env, strings.ReplaceAll(entry, "DIR", dir))
	}
	return env
}

func (in *badInput) arguments(dir string) []string {
	args := in.args
	if args == nil {
		args = []string{"run", "--kubeconfig", "DIR/kubeconfig", "--node-name", "bad-input", "--metrics-file", "DIR/metrics.prom"}
		if in.config != "" {
			args = append(args, "--config", "DIR/config.yaml")
		}
	}
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = strings.ReplaceAll(arg, "DIR", dir)
	}
	return out
}

// result is how a program ended.
type result struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

// run runs a program to its end. An ordinary user can be refused a file, which
// root can't.
func run(t *testing.T, dir string, env []string, ordinary bool, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC"}, env...)
	if ordinary && os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), took}
}

// listing is all files below a folder with their sizes and times.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&all, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		return nil
	}))
	return all.String()
}

// TestBadInput gives the agent each mistake alone. It must end by itself with
// status 1 within 2 s, say in a line or two what is wrong and where, and have
// touched neither a file nor the server.
func TestBadInput(t *testing.T) {
	t.Parallel()
	binary := publicCopy(t)
	for _, in := range badInputs(t) {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			server := newDoors(t)
			dir := in.laidOut(t, server.url())
			before := listing(t, dir)
			env := in.environment(dir)
			got := run(t, dir, env, true, binary, in.arguments(dir)...)
			// A machine under load may be late for reasons of its own.
			for i := 0; i < 3 && got.took > 2*time.Second && got.code == 1; i++ {
				got = run(t, dir, env, true, binary, in.arguments(dir)...)
			}
			in.judge(t, dir, got)
			if after := listing(t, dir); after != before {
				t.Errorf("files changed\nbefore:\n%safter:\n%s", before, after)
			}
			if n := server.count.Load(); n != 0 {
				t.Errorf("the server was contacted %d times", n)
			}
			in.askKubectl(t, dir, server)
		})
	}
}

// publicCopy is the agent where every user may run it.
func publicCopy(t *testing.T) string {
	t.Helper()
	path := filepath.Join(openDir(t), "kubemote")
	text, err := os.ReadFile(agentBin)
	check(t, err)
	check(t, os.WriteFile(path, text, 0o755))
	return path
}

func (in *badInput) judge(t *testing.T, dir string, got result) {
	t.Helper()
	t.Logf("%s", strings.TrimSpace(got.stderr))
	if got.code != 1 {
		t.Errorf("exit status %d", got.code)
	}
	if got.took > 2*time.Second {
		t.Errorf("it took %s", got.took)
	}
	if got.stdout != "" {
		t.Errorf("printed %q", got.stdout)
	}
	if !strings.HasPrefix(got.stderr, "error: ") || !strings.HasSuffix(got.stderr, "\n") || strings.Count(got.stderr, "\n") > 2 {
		t.Errorf("said %q", got.stderr)
	}
	for _, want := range in.want {
		if want = strings.ReplaceAll(want, "DIR", dir); !strings.Contains(got.stderr, want) {
			t.Errorf("said %q\nwithout %q", got.stderr, want)
		}
	}
}

// kubectlPlaces bounds how many kubectls run: each is a large program.
var kubectlPlaces = make(chan struct{}, 2)

// askKubectl lets kubectl use the same kubeconfig: it accepts it when it comes
// to the server's door.
func (in *badInput) askKubectl(t *testing.T, dir string, server *doors) {
	t.Helper()
	if in.kubectl == notAsked || testing.Short() {
		return
	}
	args := []string{"kubectl", "--kubeconfig", filepath.Join(dir, "kubeconfig"), "--request-timeout=10s"}
	for i, arg := range in.args {
		if arg == "--context" {
			args = append(args, arg, in.args[i+1])
		}
	}
	kubectlPlaces <- struct{}{}
	defer func() { <-kubectlPlaces }()
	got := run(t, dir, nil, false, clusterBin, append(args, "get", "--raw", "/version")...)
	came := server.count.Load() > 0
	if came != (in.kubectl == accepts) {
		t.Errorf("kubectl came to the server: %v; it says %q", came, got.stderr)
	}
}
