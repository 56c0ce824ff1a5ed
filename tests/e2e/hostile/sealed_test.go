// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"kubemote.io/tests/cluster/proxy"
)

// memoryCall is a system call that takes or gives memory, as strace shows it;
// madvise gives pages back and takes nothing.
var memoryCall = regexp.MustCompile(`(brk|mmap2?|mremap|munmap|mprotect)\(`)

// TestSealed watches an agent's system calls through its start, cut links and
// its end: after the seal it must not ask the kernel for memory once.
func TestSealed(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	strace, err := exec.LookPath("strace")
	if err != nil || exec.Command(strace, "-o", os.DevNull, "true").Run() != nil {
		t.Skip("strace is not here or may not trace")
	}
	x, err := proxy.New("127.0.0.1:0", p.Addr())
	check(t, err)
	t.Cleanup(x.Close)
	trace := filepath.Join(agentDir(t), "trace")
	a := startBehind(t, []string{strace, "-f", "-qq", "-o", trace, "-e", "trace=%memory,connect,execve"},
		nodeKubeconfig(t, p, "https://"+x.Addr()))
	waitReady(t, p, a.name)
	for range 3 {
		opened := x.Stats().Accepted
		x.CutAll(proxy.RST)
		eventually(t, soon, "new connections", func() error {
			if n := x.Stats().Accepted; n < opened+2 {
				return errCount(n - opened)
			}
			return nil
		})
	}
	markUnknown(t, p, a.name)
	waitReady(t, p, a.name)
	check(t, syscall.Kill(-a.cmd.Process.Pid, syscall.SIGTERM))
	select {
	case <-a.done:
	case <-time.After(soon):
		t.Fatal("it does not end")
	}
	text, err := os.ReadFile(trace)
	check(t, err)
	judgeTrace(t, string(text))
}

type errCount int64

func (e errCount) Error() string { return "not enough of them yet" }

// judgeTrace takes the first page that is given back for the seal.
func judgeTrace(t *testing.T, trace string) {
	t.Helper()
	_, sealed, found := strings.Cut(trace, "MADV_DONTNEED")
	if !found {
		t.Fatalf("no seal in the trace:\n%s", trace)
	}
	connects := strings.Count(sealed, "connect(")
	if connects < 6 {
		t.Errorf("only %d connections after the seal", connects)
	}
	for line := range strings.Lines(sealed) {
		if memoryCall.MatchString(line) {
			t.Errorf("after the seal: %s", strings.TrimSpace(line))
		}
	}
	t.Logf("%d connections and no call for memory after the seal", connects)
}
