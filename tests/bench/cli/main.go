// SPDX-License-Identifier: Apache-2.0

// Command cli measures the command line beside kubectl on long lists: from a
// server that answers from memory, or with -plane on a real control plane.
// ../README.md says what is measured and how.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// job is one command line for both.
type job struct {
	Title string   `json:"title"`
	Args  []string `json:"args"`
	// least is what the output must have at least: a list cut short is no
	// result.
	least int
}

var jobs = []job{
	{"30,000 namespaces, whole", []string{"get", "ns", "--chunk-size=0"}, namespaceCount * 20},
	{"30,000 namespaces, pages of 500", []string{"get", "ns"}, namespaceCount * 20},
	{"10,000 pods, -o json", []string{"get", "pods", "-A", "-o", "json"}, podCount * 500},
	{"version --client", []string{"version", "--client"}, 10},
}

// figures of one program: medians, and the highest resident set of any run.
type figures struct {
	Seconds float64   `json:"seconds"`
	CPU     float64   `json:"cpu_seconds"`
	PeakKB  int       `json:"peak_rss_kb"`
	Bytes   int64     `json:"output_bytes"`
	All     []float64 `json:"seconds_all"`
}

type result struct {
	job
	Kubemote figures `json:"kubemote"`
	Kubectl  figures `json:"kubectl"`
}

func main() {
	root := flag.String("root", "../..", "the repository")
	runs := flag.Int("runs", 5, "of each program and command")
	real := flag.Bool("plane", false, "make the objects on a real control plane")
	flag.Parse()
	if err := run(*root, *runs, *real); err != nil {
		fmt.Fprintln(os.Stderr, "bench-cli:", err)
		os.Exit(1)
	}
}

func run(root string, runs int, real bool) error {
	scratch, err := os.MkdirTemp("", "kubemote-bench-cli-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	config := filepath.Join(scratch, "config")
	if real {
		stop, err := startPlane(context.Background(), config)
		if err != nil {
			return err
		}
		defer stop()
	} else {
		server, err := startServer(config)
		if err != nil {
			return err
		}
		defer server.Close()
	}
	ours, err := filepath.Abs(filepath.Join(root, "build/linux/kubemote"))
	if err != nil {
		return err
	}
	theirs := filepath.Join(scratch, "kubectl")
	program, err := filepath.Abs(filepath.Join(root, "build/cluster/kubemote-cluster"))
	if err != nil {
		return err
	}
	if err := os.Symlink(program, theirs); err != nil {
		return err
	}
	results, err := measure(ours, theirs, config, runs)
	if err != nil {
		return err
	}
	print(results, runs, real)
	return save(root, results, real)
}

// measure runs both in turn; the first run of each fills its discovery cache
// and is not counted.
func measure(ours, theirs, config string, runs int) ([]result, error) {
	var results []result
	for _, j := range jobs {
		r := result{job: j}
		for i := 0; i <= runs; i++ {
			for program, f := range map[string]*figures{ours: &r.Kubemote, theirs: &r.Kubectl} {
				one, err := runOnce(program, config, j)
				if err != nil {
					return nil, err
				}
				if i > 0 {
					f.add(one)
				}
			}
		}
		r.Kubemote.finish()
		r.Kubectl.finish()
		results = append(results, r)
	}
	return results, nil
}

func (f *figures) add(one once) {
	f.All = append(f.All, one.seconds)
	f.CPU += one.cpu
	f.PeakKB = max(f.PeakKB, one.peakKB)
	f.Bytes = one.bytes
}

func (f *figures) finish() {
	f.CPU /= float64(len(f.All))
	sorted := slices.Sorted(slices.Values(f.All))
	f.Seconds = sorted[len(sorted)/2]
}

func (f *figures) peak() string {
	if f.PeakKB == 0 {
		return "-"
	}
	return strconv.Itoa(f.PeakKB)
}

func print(results []result, runs int, real bool) {
	where := "a server that answers from memory"
	if real {
		where = "a real control plane"
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("Long lists from %s; medians of %d runs, highest resident set of them (load %.4s)\n", where, runs, load)
	fmt.Printf("  %-34s %10s %10s %7s %12s %12s\n", "", "kubemote", "kubectl", "ratio", "kubemote kB", "kubectl kB")
	for _, r := range results {
		fmt.Printf("  %-34s %8.4f s %8.4f s %6.1fx %12s %12s\n", r.Title, r.Kubemote.Seconds, r.Kubectl.Seconds,
			r.Kubectl.Seconds/r.Kubemote.Seconds, r.Kubemote.peak(), r.Kubectl.peak())
		fmt.Printf("  %-34s %8.4f s %8.4f s %6.1fx\n", "  processor time", r.Kubemote.CPU, r.Kubectl.CPU, r.Kubectl.CPU/r.Kubemote.CPU)
	}
}

func save(root string, results []result, real bool) error {
	name := map[bool]string{false: "cli.json", true: "cli-plane.json"}[real]
	text, err := json.MarshalIndent(map[string]any{"taken": time.Now().UTC(), "results": results}, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Join(root, "build", "bench")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), append(text, '\n'), 0o644)
}
