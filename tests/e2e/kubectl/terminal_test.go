// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kubemote.io/tests/cluster/plane"
)

// openTerminal returns both ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// ourErrors runs kubemote with a terminal or a pipe for its standard error and returns what came there.
func ourErrors(t *testing.T, terminal bool, words ...string) string {
	t.Helper()
	config, err := cluster.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), ours, append(words, "--kubeconfig", config)...)
	cmd.Env = []string{"HOME=" + cacheOf(ours), "KUBECACHEDIR=" + cacheOf(ours), "TZ=UTC"}
	var text bytes.Buffer
	cmd.Stderr = &text
	if !terminal {
		cmd.Run()
		return text.String()
	}
	master, slave := openTerminal(t)
	cmd.Stderr = slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	done := make(chan struct{})
	go func() {
		io.Copy(&text, master) // ends with an error when the last writer has gone
		close(done)
	}()
	cmd.Wait()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the terminal was not closed")
		master.Close()
		<-done
	}
	return text.String()
}

const clearLine = "\r\x1b[K"

func TestProgress(t *testing.T) {
	for _, c := range []struct{ args, shows string }{
		{"get ns --chunk-size=1", clearLine + "1 of "},
		{"get ns --chunk-size=1 -o wide --sort-by=.metadata.name", ""},
		{"wait cm/kube-root-ca.crt -n kube-system --for=jsonpath={.nosuch} --timeout=1s", clearLine + "waiting for configmaps/kube-root-ca.crt" + clearLine},
	} {
		t.Run(c.args, func(t *testing.T) {
			if text := ourErrors(t, true, strings.Fields(c.args)...); !strings.Contains(text, c.shows) || strings.Count(text, clearLine) == 1 {
				t.Errorf("on a terminal: %q", text)
			}
			if text := ourErrors(t, false, strings.Fields(c.args)...); strings.Contains(text, "\r") {
				t.Errorf("on a pipe: %q", text)
			}
		})
	}
}

// Every command explains itself with an example.
func TestHelp(t *testing.T) {
	top, err := exec.Command(ours, "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(top), "Commands:\n")
	commands, _, _ := strings.Cut(rest, "\n\n")
	for line := range strings.Lines(commands) {
		name := strings.TrimSpace(line[:26])
		t.Run(name, func(t *testing.T) {
			for _, flag := range []string{"--help", "-h"} {
				out, err := exec.Command(ours, append(strings.Fields(name), flag)...).Output()
				if err != nil || !strings.Contains(string(out), "Usage:\n  kubemote "+name) || !strings.Contains(string(out), "Examples:\n") {
					t.Errorf("%v\n%s", err, out)
				}
			}
		})
	}
	for _, family := range []string{"auth", "config"} {
		out, err := exec.Command(ours, family, "--help").Output()
		if err != nil || !strings.Contains(string(out), "Examples:\n") {
			t.Errorf("%s: %v\n%s", family, err, out)
		}
	}
}

// A log of requests on standard error, nothing else changes.
func TestVerbosity(t *testing.T) {
	if text := ourErrors(t, false, "get", "ns", "-v=6"); !strings.Contains(text, `"Response"`) || !strings.Contains(text, "/api/v1/namespaces?limit=500") {
		t.Errorf("-v=6: %q", text)
	}
	if text := ourErrors(t, false, "get", "ns", "-v=1"); text != "" {
		t.Errorf("-v=1: %q", text)
	}
}
