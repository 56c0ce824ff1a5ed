// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is one running peer.
type process struct {
	cmd    *exec.Cmd
	report string
	log    string
	began  time.Time
	done   chan struct{}
}

func startProcess(p peer, c credentials) (*process, error) {
	args, err := p.args(c)
	if err != nil {
		return nil, err
	}
	run := &process{report: c.report, log: c.report + ".log", done: make(chan struct{})}
	if err := os.Remove(run.report); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	log, err := os.Create(run.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	run.cmd = exec.Command(p.binary, args...)
	run.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(c.report), "TZ=UTC"}, p.env...)
	run.cmd.Stdout, run.cmd.Stderr = log, log
	run.began = time.Now()
	if err := run.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		run.cmd.Wait()
		close(run.done)
	}()
	return run, nil
}

// kill ends it as a power cut does: nothing is said to the server.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// dead is the end of its log when it ended by itself.
func (p *process) dead() error {
	select {
	case <-p.done:
		text, _ := os.ReadFile(p.log)
		return fmt.Errorf("%s ended by itself: %v\n%s", p.cmd.Path, p.cmd.ProcessState, text)
	default:
		return nil
	}
}

// cpu is the processor time of all its threads, to the nanosecond.
func (p *process) cpu() (time.Duration, error) {
	const clockOfProcess = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|clockOfProcess), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// memory is in kB, from the kernel's own sums.
type memory struct {
	Rss       int `json:"rss_kb"`
	Pss       int `json:"pss_kb"`
	Anonymous int `json:"anonymous_kb"`
	Peak      int `json:"peak_rss_kb"`
	Threads   int `json:"threads"`
}

func (p *process) memory() (memory, error) {
	var m memory
	err := p.fields("smaps_rollup", map[string]*int{"Rss:": &m.Rss, "Pss:": &m.Pss, "Anonymous:": &m.Anonymous})
	if err != nil {
		return m, err
	}
	return m, p.fields("status", map[string]*int{"VmHWM:": &m.Peak, "Threads:": &m.Threads})
}

func (p *process) fields(file string, want map[string]*int) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) < 2 || want[words[0]] == nil {
			continue
		}
		if *want[words[0]], err = strconv.Atoi(words[1]); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// tellBySignal is for the programs of this folder.
func tellBySignal(p *process) (told, error) {
	os.Remove(p.report)
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return told{}, err
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(p.report)
		if err != nil {
			continue
		}
		var t told
		return t, json.Unmarshal(text, &t)
	}
	return told{}, fmt.Errorf("%s wrote no report", p.cmd.Path)
}

// tellAgent reads the agent's metrics, which are at most 15 s old. The agent
// ends itself at the first heap call after its start-up, so one that lives has
// made none.
func tellAgent(p *process) (told, error) {
	none := int64(0)
	t := told{HeapCalls: &none}
	binary, err := os.ReadFile(p.cmd.Path)
	if err != nil {
		return t, err
	}
	if !bytes.Contains(binary, []byte("after the seal")) {
		t.HeapCalls = nil
	}
	text, err := os.ReadFile(p.report)
	if err != nil {
		return t, err
	}
	slot, err := slotBytes(filepath.Join(filepath.Dir(p.cmd.Path), "include", "km_config.h"))
	if err != nil {
		return t, err
	}
	arena, slots := metric(text, "kubemote_tls_arena_max_bytes"), slot*metric(text, "kubemote_tls_slots_max")
	t.ArenaBytes, t.SlotBytes = &arena, &slots
	return t, nil
}

// slotBytes is what the record buffers of one connection take: full records
// come in, records of a configured size go out, each with mbedTLS's header.
func slotBytes(config string) (int64, error) {
	const extra = 48
	text, err := os.ReadFile(config)
	if err != nil {
		return 0, err
	}
	out := metric(text, "#define CONFIG_KM_TLS_OUT_BYTES")
	return 16384 + out + 2*extra, nil
}

func metric(text []byte, name string) int64 {
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte(name+" ")); found {
			value, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
			if err == nil {
				return value
			}
		}
	}
	return 0
}
