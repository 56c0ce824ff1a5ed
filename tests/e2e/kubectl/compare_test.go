// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// command is one command line to compare.
type command struct {
	args     string // parted at blanks
	argv     []string
	stdin    string
	differs  string // why the words differ; then only the exit code must be the same
	loose    bool   // standard output: the same data, not the same bytes
	during   func() // runs while a watch is recorded
	scripted func(r *http.Request) *answer
}

func (c *command) words() []string {
	if c.argv != nil {
		return c.argv
	}
	return strings.Fields(c.args)
}

func (c *command) name() string { return strings.Join(c.words(), " ") }

type outcome struct {
	stdout, stderr string
	code           int
}

// caches keep discovery, so that only the first command of each pays for it.
func cacheOf(program string) string {
	return filepath.Join(scratch, "cache-"+filepath.Base(program))
}

func runProgram(t *testing.T, program string, rec *recorder, c *command, cache string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	config := kubeconfigFor(t, rec.URL)
	args := append([]string{c.words()[0], "--kubeconfig", config}, c.words()[1:]...)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"HOME=" + cache, "KUBECACHEDIR=" + cache, "PATH=/nonexistent", "TZ=UTC"}
	cmd.Dir = scratch
	cmd.Stdin = strings.NewReader(c.stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func kubeconfigFor(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Our name stands where kubectl says its own.
func ourWords(text string) string { return strings.ReplaceAll(text, "kubemote", "kubectl") }

// compare runs both programs and says how they differ; "" = not at all.
func compare(t *testing.T, c *command) string {
	t.Helper()
	rec := newRecorder(t, c.scripted)
	if c.during != nil {
		go c.during()
	}
	want := runProgram(t, theirs, rec, c, cacheOf(theirs))
	rec.mu.Lock()
	rec.recording = false
	rec.mu.Unlock()
	got := runProgram(t, ours, rec, c, cacheOf(ours))
	if want.code != got.code {
		return fmt.Sprintf("exit code %d instead of %d; it says %q, kubectl %q", got.code, want.code, got.stderr, want.stderr)
	}
	if c.differs != "" {
		return ""
	}
	if c.loose {
		return difference("standard output", canonical(got.stdout), canonical(want.stdout))
	}
	if text := difference("standard output", ourWords(got.stdout), ourWords(want.stdout)); text != "" {
		return text
	}
	return difference("standard error", ourWords(got.stderr), ourWords(want.stderr))
}

func canonical(text string) string {
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return "no YAML: " + err.Error()
	}
	return string(data)
}

// difference shows the first line that is not the same.
func difference(what, got, want string) string {
	if got == want {
		return ""
	}
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := 0; ; i++ {
		switch {
		case i >= len(a):
			return fmt.Sprintf("%s ends before line %d: %q", what, i+1, b[i])
		case i >= len(b):
			return fmt.Sprintf("%s goes on at line %d: %q", what, i+1, a[i])
		case a[i] != b[i]:
			return fmt.Sprintf("%s, line %d\n   got %q\n  want %q", what, i+1, a[i], b[i])
		}
	}
}

// each compares the commands side by side, and notes them for the page.
func each(t *testing.T, section string, commands []command) {
	t.Helper()
	for i := range commands {
		c := &commands[i]
		report.add(section, c)
		t.Run(c.name(), func(t *testing.T) {
			if text := compare(t, c); text != "" {
				t.Error(text)
			}
		})
	}
}
