// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// machine is what the figures were taken on. Load averages tell whether other
// work was in the way.
type machine struct {
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	MemoryKB   int     `json:"memory_kb"`
	Kernel     string  `json:"kernel"`
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`
	// PagesOut is whether the kernel takes pages from idle programs although
	// memory is free, so that resident sets read low.
	PagesOut bool `json:"pages_out"`
}

func readMachine() machine {
	m := machine{
		CPU:        valueOf("/proc/cpuinfo", "model name"),
		Cores:      runtime.NumCPU(),
		Kernel:     runtime.GOOS + " " + firstLine("/proc/sys/kernel/osrelease") + " " + runtime.GOARCH,
		LoadBefore: readLoad(),
		PagesOut:   readPagesOut(),
	}
	m.MemoryKB, _ = strconv.Atoi(strings.TrimSuffix(valueOf("/proc/meminfo", "MemTotal"), " kB"))
	return m
}

func readLoad() float64 {
	word, _, _ := strings.Cut(firstLine("/proc/loadavg"), " ")
	load, _ := strconv.ParseFloat(word, 64)
	return load
}

func readPagesOut() bool {
	if firstLine("/sys/module/damon_reclaim/parameters/enabled") == "Y" {
		return true
	}
	kdamonds, _ := filepath.Glob("/sys/kernel/mm/damon/admin/kdamonds/*")
	for _, dir := range kdamonds {
		actions, _ := filepath.Glob(filepath.Join(dir, "contexts/*/schemes/*/action"))
		for _, action := range actions {
			if firstLine(filepath.Join(dir, "state")) == "on" && firstLine(action) == "pageout" {
				return true
			}
		}
	}
	return false
}

func firstLine(path string) string {
	text, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// valueOf reads files of lines "key : value".
func valueOf(path, key string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), ":")
		if found && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
