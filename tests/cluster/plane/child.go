// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is one component's process.
type child struct {
	name     string
	cmd      *exec.Cmd
	done     chan struct{} // closed when the process is gone
	stopping atomic.Bool   // its end is wanted
}

// launcher runs functions on one thread that lives as long as this program.
// The kernel sends a child its parent-death signal when the thread that made
// it ends, and Go ends threads as it likes.
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

func startOnLauncher(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	launcher() <- func() { result <- cmd.Start() }
	return <-result
}

// startChild runs the program with its output appended to a file. It dies with
// this process, and a Ctrl-C at the terminal does not reach it: the plane ends
// its parts in order.
func startChild(name, binary, logFile string, env, args []string) (*child, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(binary, args...)
	cmd.Dir = filepath.Dir(logFile)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := startOnLauncher(cmd); err != nil {
		return nil, fmt.Errorf("plane: %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, done: make(chan struct{})}
	return c, nil
}

// watch waits for the process and reports an end that nobody asked for.
func (c *child) watch(unexpected func(error)) {
	err := c.cmd.Wait()
	close(c.done)
	if !c.stopping.Load() {
		unexpected(fmt.Errorf("plane: %s ended by itself: %v", c.name, err))
	}
}

func (c *child) running() bool {
	if c == nil {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

func (c *child) signal(s syscall.Signal) {
	if c.running() {
		// Wait has not returned, so the number still is this process.
		syscall.Kill(-c.cmd.Process.Pid, s)
	}
}

// freeze stops the process and returns when none of its threads runs any more:
// the signal alone takes effect when the machine finds the time for it.
func (c *child) freeze() {
	c.signal(syscall.SIGSTOP)
	for c.running() {
		err := unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

func (c *child) thaw() { c.signal(syscall.SIGCONT) }

// stop asks politely and kills after the grace time; 0 kills at once.
func (c *child) stop(grace time.Duration) {
	if !c.running() {
		return
	}
	c.stopping.Store(true)
	if grace > 0 {
		c.signal(syscall.SIGTERM)
		select {
		case <-c.done:
		case <-time.After(grace):
		}
	}
	c.signal(syscall.SIGKILL)
	<-c.done
}

// tail returns the last lines of a file, cut to a bearable width.
func tail(file string, lines int) string {
	const most = 64 * 1024
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		f.Seek(max(end-most, 0), io.SeekStart)
	}
	data, _ := io.ReadAll(f)
	all := strings.Split(string(bytes.TrimSpace(data)), "\n")
	all = all[max(len(all)-lines, 0):]
	for i, line := range all {
		if len(line) > 300 {
			all[i] = line[:300] + "…"
		}
	}
	return strings.Join(all, "\n")
}
