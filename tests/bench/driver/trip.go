// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A round trip: somebody changes a label that the node's program owns, the
// event goes to the program, and its status patch that sets the label right
// comes back. Taken on the wire, so that the server's part is left out.
const (
	tripRounds   = 5 // of each start: the agent writes six statuses at once and one in ten seconds after that
	tripPause    = 150 * time.Millisecond
	tripSettle   = 1500 * time.Millisecond
	tripTimeout  = 20 * time.Second
	patchAtLeast = 300 // bytes; less is no patch but a word of the protocol below
	ownLabel     = corev1.LabelTopologyRegion
)

type tripFigures struct {
	Rounds int       `json:"rounds"`
	Median float64   `json:"median_ms"`
	P99    float64   `json:"p99_ms"`
	CPU    float64   `json:"cpu_ms_per_round"`
	All    []float64 `json:"all_ms"`
}

// chunk is what one read of the forwarder gave.
type chunk struct {
	at         time.Time
	fromServer bool
	size       int
}

// trace keeps the chunks of one round, of all connections of a peer.
type trace struct {
	mu     sync.Mutex
	on     bool
	chunks []chunk
}

func (t *trace) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.on, t.chunks = true, nil
}

func (t *trace) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.on = false
}

func (t *trace) add(fromServer bool, size int) {
	at := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.on {
		t.chunks = append(t.chunks, chunk{at, fromServer, size})
	}
}

// answer is the time from the event's first bytes to the patch's last ones; the
// server's answer to the patch must have come, so that nothing is missing.
func (t *trace) answer() (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var event, patch time.Time
	size := 0
	for _, c := range t.chunks {
		switch {
		case c.fromServer && event.IsZero():
			event = c.at
		case c.fromServer && size >= patchAtLeast:
			return patch.Sub(event), true
		case c.fromServer:
			size = 0
		case !event.IsZero():
			size += c.size
			patch = c.at
		}
	}
	return 0, false
}

// trips starts each peer several times in turn and measures a few rounds of
// each start.
func (b *bench) trips(ctx context.Context) (map[string]tripFigures, error) {
	all := map[string]*tripFigures{}
	progress("round trips: %d starts of each peer, %d rounds of each", b.plan.TripStarts, tripRounds)
	for range b.plan.TripStarts {
		for _, p := range b.peers {
			if !p.answers {
				continue
			}
			if all[p.name] == nil {
				all[p.name] = &tripFigures{}
			}
			if err := b.tripsOf(ctx, p, all[p.name]); err != nil {
				return nil, err
			}
		}
	}
	figures := map[string]tripFigures{}
	for name, f := range all {
		f.Rounds = len(f.All)
		f.CPU /= float64(f.Rounds)
		f.Median, f.P99 = median(f.All), percentile(f.All, 99)
		figures[name] = *f
	}
	return figures, nil
}

func percentile(values []float64, percent float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(math.Ceil(percent/100*float64(len(sorted))))-1]
}

func (b *bench) tripsOf(ctx context.Context, p peer, f *tripFigures) error {
	w, err := b.watch(ctx, p)
	if w != nil {
		defer w.end()
	}
	if err != nil {
		return err
	}
	if err := sleep(ctx, tripSettle); err != nil {
		return err
	}
	before, err := w.run.cpu()
	if err != nil {
		return err
	}
	for i := range tripRounds {
		took, err := b.trip(ctx, w, fmt.Sprintf("round-%d", i))
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		f.All = append(f.All, ms(took))
	}
	after, err := w.run.cpu()
	f.CPU += ms(after - before)
	return err
}

func (b *bench) trip(ctx context.Context, w *watched, value string) (time.Duration, error) {
	node, nodes := "bench-"+w.peer.name, b.plane.Client().CoreV1().Nodes()
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, ownLabel, value)
	w.wire.trace.begin()
	defer w.wire.trace.end()
	if _, err := nodes.Patch(ctx, node, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		return 0, err
	}
	end := time.Now().Add(tripTimeout)
	for {
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return 0, err
		}
		if took, done := w.wire.trace.answer(); done {
			return took, b.isRight(ctx, node, value)
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("no patch within %v", tripTimeout)
		}
	}
}

// isRight is whether the patch did what it should, and leaves time for its own
// event to come back.
func (b *bench) isRight(ctx context.Context, node, value string) error {
	if err := sleep(ctx, tripPause); err != nil {
		return err
	}
	have, err := b.plane.Client().CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err == nil && have.Labels[ownLabel] == value {
		err = fmt.Errorf("the answer left the label as it was")
	}
	return err
}
