// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// once is one run of a program.
type once struct {
	seconds, cpu float64
	peakKB       int
	bytes        int64
}

const lookEvery = time.Millisecond

// A program that ends sooner is gone before its memory was seen: 0.
const tooShort = 0.02

// runOnce reads what the program prints through a pipe, as another program
// would. The kernel's own highest resident set (VmHWM) is read all the time:
// what wait tells of a child would count the memory of its parent.
func runOnce(program, config string, j job) (once, error) {
	var one once
	home := filepath.Join(filepath.Dir(config), "home-"+filepath.Base(program))
	cmd := exec.Command(program, append(append([]string{}, j.Args...), "--kubeconfig", config)...)
	cmd.Env = []string{"HOME=" + home, "KUBECACHEDIR=" + home, "PATH=/nonexistent", "TZ=UTC"}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return one, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return one, err
	}
	watched := make(chan int)
	go func() { watched <- watchPeak(cmd.Process.Pid) }()
	one.bytes, err = io.Copy(io.Discard, out)
	waited := cmd.Wait()
	one.seconds = time.Since(began).Seconds()
	if one.peakKB = <-watched; one.seconds < tooShort {
		one.peakKB = 0
	}
	one.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if err != nil || waited != nil || one.bytes < int64(j.least) {
		return one, fmt.Errorf("%s %v: %v %v, %d bytes\n%s", program, j.Args, err, waited, one.bytes, complaint.Bytes())
	}
	return one, nil
}

// watchPeak returns when the process has ended.
func watchPeak(pid int) int {
	peak := 0
	for ; ; time.Sleep(lookEvery) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return peak
		}
		_, rest, found := bytes.Cut(text, []byte("VmHWM:"))
		if !found {
			return peak
		}
		line, _, _ := bytes.Cut(rest, []byte(" kB"))
		if kb, err := strconv.Atoi(string(bytes.TrimSpace(line))); err == nil {
			peak = max(peak, kb)
		}
	}
}
