// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/plane"
)

// figures are those of one peer on one plane.
type figures struct {
	Start  *startFigures `json:"start,omitempty"`
	Steady steadyFigures `json:"steady"`
	Trip   *tripFigures  `json:"trip,omitempty"`
}

// startFigures are medians, in milliseconds from before fork and exec.
type startFigures struct {
	FirstRequest  float64   `json:"first_request_ms"` // received by the server
	Ready         float64   `json:"ready_ms"`         // accepted by the server; 0 for a peer that does not join
	ReadyAll      []float64 `json:"ready_all_ms,omitempty"`
	RequestsReady int       `json:"requests_until_ready"`
	ServerReady   float64   `json:"server_ready_ms"` // the part that the server took for that write
	CPU           float64   `json:"cpu_ms"`          // of the peer, until a moment after Ready
}

type steadyFigures struct {
	Memory           memory     `json:"memory"`
	CPUPerMinute     float64    `json:"cpu_ms_per_minute"`
	HeapPerMinute    *float64   `json:"heap_calls_per_minute,omitempty"`
	SentPerMinute    float64    `json:"sent_bytes_per_minute"`
	ReceivePerMinute float64    `json:"received_bytes_per_minute"`
	Wire             wireCounts `json:"wire"`
	Told             told       `json:"told"`
}

type bench struct {
	root  string
	plan  plan
	kind  planeKind
	peers []peer

	dir   string
	plane *plane.Plane
	audit *auditLog
}

func (b *bench) run(ctx context.Context) (map[string]figures, error) {
	if err := b.startPlane(ctx); err != nil {
		return nil, err
	}
	defer b.plane.Stop()
	defer os.RemoveAll(b.dir)
	all := map[string]figures{}
	var starts map[string]startFigures
	var steady map[string]steadyFigures
	var trips map[string]tripFigures
	var err error
	if !b.plan.TripOnly {
		if starts, err = b.starts(ctx); err != nil {
			return nil, err
		}
		if steady, err = b.steady(ctx); err != nil {
			return nil, err
		}
	}
	if b.kind.starts {
		if trips, err = b.trips(ctx); err != nil {
			return nil, err
		}
	}
	for _, p := range b.peers {
		f := figures{Steady: steady[p.name]}
		if s, found := starts[p.name]; found {
			f.Start = &s
		}
		if t, found := trips[p.name]; found {
			f.Trip = &t
		}
		all[p.name] = f
	}
	return all, nil
}

func (b *bench) startPlane(ctx context.Context) error {
	var err error
	if b.dir, err = os.MkdirTemp("", "kubemote-bench-"); err != nil {
		return err
	}
	if b.audit, err = newAuditLog(b.dir); err != nil {
		return err
	}
	progress("a control plane with %s keys", b.kind.keys)
	b.plane, err = plane.Start(ctx, plane.Options{
		Binary:           filepath.Join(b.root, "build", "cluster", "kubemote-cluster"),
		Dir:              filepath.Join(b.dir, "plane"),
		Keys:             b.kind.keys,
		NodeMonitorGrace: 40 * time.Second,
		APIServerArgs:    b.audit.flags(),
	})
	return err
}

// credentials makes a node's, for a server under the given address.
func (b *bench) credentials(p peer, server string) (credentials, error) {
	c := credentials{node: "bench-" + p.name, server: server, report: filepath.Join(b.dir, p.name+".report")}
	path, err := b.plane.NodeKubeconfig(c.node, plane.KubeconfigOptions{Server: "https://" + server})
	if err != nil {
		return c, err
	}
	c.kubeconfig = path
	return c, nil
}

// forget removes a node and its lease, so that the next start registers anew.
func (b *bench) forget(ctx context.Context, node string) error {
	nodes, leases := b.plane.Client().CoreV1().Nodes(), b.plane.Client().CoordinationV1().Leases(corev1.NamespaceNodeLease)
	if err := nodes.Delete(ctx, node, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if err := leases.Delete(ctx, node, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	// The server and its controllers are busy with what went for a while.
	return sleep(ctx, 200*time.Millisecond)
}

// starts starts the peers in turn, so that what else the machine does hits all
// of them alike.
func (b *bench) starts(ctx context.Context) (map[string]startFigures, error) {
	if !b.kind.starts {
		return nil, nil
	}
	taken := map[string][]oneStart{}
	creds := map[string]credentials{}
	for _, p := range b.peers {
		c, err := b.credentials(p, b.plane.Addr())
		if err != nil {
			return nil, err
		}
		creds[p.name] = c
	}
	progress("%d starts of each peer", b.plan.Starts)
	for range b.plan.Starts {
		for _, p := range b.peers {
			s, err := b.start(ctx, p, creds[p.name])
			if err != nil {
				return nil, err
			}
			taken[p.name] = append(taken[p.name], s)
		}
	}
	medians := map[string]startFigures{}
	for name, list := range taken {
		medians[name] = medianStart(list)
	}
	return medians, nil
}

type oneStart struct {
	firstRequest, ready, serverReady, cpu float64
	requests                              int
}

func (b *bench) start(ctx context.Context, p peer, c credentials) (oneStart, error) {
	var s oneStart
	if err := b.forget(ctx, c.node); err != nil {
		return s, err
	}
	log := b.audit.tailOf(c.node)
	run, err := startProcess(p, c)
	if err != nil {
		return s, err
	}
	defer run.kill()
	wanted := (*auditEvent).isReady
	if !p.joins {
		wanted = func(*auditEvent) bool { return true }
	}
	events, err := log.await(ctx, run, wanted)
	if err != nil {
		return s, err
	}
	first := slices.MinFunc(events, func(x, y auditEvent) int {
		return x.RequestReceivedTimestamp.Compare(y.RequestReceivedTimestamp)
	})
	s.firstRequest = ms(first.RequestReceivedTimestamp.Sub(run.began))
	if last := events[len(events)-1]; p.joins {
		s.ready = ms(last.StageTimestamp.Sub(run.began))
		s.serverReady = ms(last.StageTimestamp.Sub(last.RequestReceivedTimestamp))
		s.requests = len(events)
	}
	cpu, err := run.cpu()
	s.cpu = ms(cpu)
	return s, err
}

func medianStart(list []oneStart) startFigures {
	all := func(of func(oneStart) float64) []float64 {
		var values []float64
		for _, s := range list {
			values = append(values, of(s))
		}
		return values
	}
	ready := all(func(s oneStart) float64 { return s.ready })
	return startFigures{
		FirstRequest:  median(all(func(s oneStart) float64 { return s.firstRequest })),
		Ready:         median(ready),
		ReadyAll:      ready,
		RequestsReady: int(median(all(func(s oneStart) float64 { return float64(s.requests) }))),
		ServerReady:   median(all(func(s oneStart) float64 { return s.serverReady })),
		CPU:           median(all(func(s oneStart) float64 { return s.cpu })),
	}
}

// steady starts each peer once more, one after another, lets all settle, and
// watches them over one window: they sleep nearly all the time.
func (b *bench) steady(ctx context.Context) (map[string]steadyFigures, error) {
	var list []*watched
	defer func() {
		for _, w := range list {
			w.end()
		}
	}()
	for _, p := range b.peers {
		w, err := b.watch(ctx, p)
		if w != nil {
			list = append(list, w)
		}
		if err != nil {
			return nil, err
		}
	}
	settle, window := time.Duration(b.plan.SettleSeconds)*time.Second, time.Duration(b.plan.WindowSeconds)*time.Second
	progress("%v to settle, then %v are measured", settle, window)
	if err := sleep(ctx, settle); err != nil {
		return nil, err
	}
	for _, w := range list {
		if err := w.read(&w.before); err != nil {
			return nil, err
		}
	}
	if err := sleep(ctx, window); err != nil {
		return nil, err
	}
	all := map[string]steadyFigures{}
	for _, w := range list {
		if err := w.read(&w.after); err != nil {
			return nil, err
		}
		all[w.peer.name] = w.figures()
	}
	return all, nil
}

// watched is a peer in its steady state.
type watched struct {
	peer          peer
	run           *process
	wire          *wire
	before, after reading
}

type reading struct {
	at     time.Time
	cpu    time.Duration
	memory memory
	wire   wireCounts
	told   told
}

func (b *bench) watch(ctx context.Context, p peer) (*watched, error) {
	w := &watched{peer: p}
	var err error
	if w.wire, err = newWire(b.plane.Addr()); err != nil {
		return nil, err
	}
	c, err := b.credentials(p, w.wire.addr())
	if err != nil {
		return w, err
	}
	if err := b.forget(ctx, c.node); err != nil {
		return w, err
	}
	log := b.audit.tailOf(c.node)
	if w.run, err = startProcess(p, c); err != nil {
		return w, err
	}
	if p.joins {
		_, err = log.await(ctx, w.run, (*auditEvent).isReady)
	}
	return w, err
}

func (w *watched) end() {
	if w.run != nil {
		w.run.kill()
	}
	w.wire.close()
}

// read takes memory and time before it asks the program, which costs both.
func (w *watched) read(r *reading) error {
	if err := w.run.dead(); err != nil {
		return err
	}
	var err error
	r.at = time.Now()
	if r.memory, err = w.run.memory(); err != nil {
		return err
	}
	if r.cpu, err = w.run.cpu(); err != nil {
		return err
	}
	r.wire = w.wire.counts()
	r.told, err = w.peer.tell(w.run)
	return err
}

func (w *watched) figures() steadyFigures {
	perMinute := func(amount float64) float64 { return amount / w.after.at.Sub(w.before.at).Minutes() }
	f := steadyFigures{
		Memory:           w.before.memory,
		CPUPerMinute:     perMinute(ms(w.after.cpu - w.before.cpu)),
		SentPerMinute:    perMinute(float64(w.after.wire.Sent - w.before.wire.Sent)),
		ReceivePerMinute: perMinute(float64(w.after.wire.Received - w.before.wire.Received)),
		Wire:             w.after.wire,
		Told:             w.after.told,
	}
	if old, last := w.before.told.HeapCalls, w.after.told.HeapCalls; old != nil && last != nil {
		calls := perMinute(float64(*last - *old))
		f.HeapPerMinute = &calls
	}
	return f
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
}
