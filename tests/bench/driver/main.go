// SPDX-License-Identifier: Apache-2.0

// Command driver runs kubemote and programs that do the same job on one
// control plane, one after another, and prints their figures side by side.
// ../README.md says what is measured and how.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// plan is how much is measured.
type plan struct {
	Quick         bool `json:"quick"`
	Starts        int  `json:"starts"`         // of each peer
	SettleSeconds int  `json:"settle_seconds"` // from Ready to the steady state
	WindowSeconds int  `json:"window_seconds"` // of the steady state
	TripStarts    int  `json:"trip_starts"`    // of each peer, for round trips
	TripOnly      bool `json:"trip_only,omitempty"`
}

var (
	fullPlan  = plan{Starts: 15, SettleSeconds: 60, WindowSeconds: 60, TripStarts: 25}
	quickPlan = plan{Quick: true, Starts: 3, SettleSeconds: 8, WindowSeconds: 12, TripStarts: 2}
)

// results is build/bench/results.json. Fields are added, never renamed;
// Schema changes when the meaning of one does.
type results struct {
	Schema  int                           `json:"schema"`
	Taken   time.Time                     `json:"taken"`
	Plan    plan                          `json:"plan"`
	Machine machine                       `json:"machine"`
	Sizes   map[string]map[string]int64   `json:"size_bytes"` // board, program
	Planes  map[string]map[string]figures `json:"planes"`     // kind of keys, peer
	Skipped []string                      `json:"skipped,omitempty"`
}

func main() {
	root := flag.String("root", "../..", "the repository")
	quick := flag.Bool("quick", false, "measure less, within three minutes")
	trip := flag.Bool("trip", false, "measure round trips alone")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *root, *quick, *trip); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string, quick, trip bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	r := results{Schema: 1, Taken: time.Now().UTC(), Plan: fullPlan, Planes: map[string]map[string]figures{}}
	if quick {
		r.Plan = quickPlan
	}
	r.Plan.TripOnly = trip
	r.Machine = readMachine()
	r.Sizes = readSizes(root)
	peers, skipped := findPeers(root)
	r.Skipped = skipped
	for _, keys := range r.Plan.kinds() {
		b := bench{root: root, plan: r.Plan, kind: keys, peers: keys.choose(peers)}
		if r.Planes[string(keys.keys)], err = b.run(ctx); err != nil {
			return err
		}
	}
	r.Machine.LoadAfter = readLoad()
	name := "results.json"
	if trip {
		name = "trip.json"
	}
	if err := save(filepath.Join(root, "build", "bench", name), &r); err != nil {
		return err
	}
	printResults(os.Stdout, &r, peers)
	return nil
}

// kinds are the planes that are needed.
func (p *plan) kinds() []planeKind {
	if p.TripOnly {
		return planeKinds[:1]
	}
	return planeKinds
}

func save(path string, r *results) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// progress is for whoever waits; the figures alone go to standard output.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
