// SPDX-License-Identifier: Apache-2.0

package informer

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// number is what the environment says.
func number(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

const (
	picked     = "pick=yes"
	turns      = 70
	breaksMost = 2 // client-go's back-off grows with every one
)

// plan is what a seed makes of a script: how both programs ask, what their
// servers are like, and what may happen.
type plan struct {
	rng       *rand.Rand
	selector  bool
	namespace bool
	liar      bool // events that are not true; then nothing is listed anew behind a broken link
	pauses    bool // kubemote's informer stops and starts
	breaks    int
	handlers  map[int]bool
}

// lively is a script by seed, played with the widest choice of servers, options
// and accidents.
func lively(seed int64) script {
	dice := rand.New(rand.NewSource(seed))
	selector, namespace := dice.Intn(3) == 0, dice.Intn(3) == 0
	liar, pauses := dice.Intn(3) == 0, dice.Intn(6) == 0
	pauses = pauses && !liar // who lists anew knows better
	metadata, noStreams := dice.Intn(4) == 0, dice.Intn(3) == 0
	pageSize, asEvent := []int{1, 2, 3, 500}[dice.Intn(4)], dice.Intn(2) == 0
	sc := script{name: fmt.Sprintf("lively %d", seed), broken: true, merged: pageSize < 500, metadata: metadata, loose: pauses,
		handlers: true}
	if namespace {
		sc.arguments = append(sc.arguments, "-n", "default")
	}
	if selector {
		sc.arguments = append(sc.arguments, "-l", picked)
	}
	sc.prepare = func(s *server) {
		s.wire = newWire(seed)
		s.noStreams, s.pageSize, s.expiredAsEvent = noStreams, pageSize, asEvent
		if namespace {
			s.path = "/apis/example.io/v1/namespaces/default/widgets"
		}
		s.only = func(w widget) bool {
			return !(namespace && w.namespace != "default") && !(selector && w.labels["pick"] != "yes")
		}
	}
	sc.run = func(s *server) {
		p := plan{rng: rand.New(rand.NewSource(seed + 1)), selector: selector, namespace: namespace, liar: liar,
			pauses: pauses, handlers: map[int]bool{}}
		for range turns {
			p.turn(s)
		}
	}
	return sc
}

func (p *plan) name() (string, string) {
	ns := []string{"default", "default", "default", "other"}[p.rng.Intn(4)]
	return ns, string(rune('a'+p.rng.Intn(8))) + []string{"", "", ".x-9", "-\u00e9\u65e5"}[p.rng.Intn(4)]
}

func (p *plan) change(s *server) {
	ns, name := p.name()
	s.mu.Lock()
	_, there := s.objects[ns+"/"+name]
	s.mu.Unlock()
	if there && p.rng.Intn(3) == 0 {
		s.delIn(ns, name)
		return
	}
	size := p.rng.Intn(200)
	if p.rng.Intn(30) == 0 {
		size = p.rng.Intn(200000)
	}
	s.putIn(ns, name, size)
}

// breaks is asked before each accident that makes client-go wait.
func (p *plan) mayBreak() bool {
	p.breaks++
	return p.breaks <= breaksMost
}

// barrier waits until every handler has heard of all changes.
func (p *plan) barrier(s *server) {
	s.next()
	s.mu.Lock()
	s.barrier = true
	s.mu.Unlock()
	s.put("barrier")
	s.mu.Lock()
	s.barrier = false
	rv := strconv.Itoa(s.rv)
	s.mu.Unlock()
	for n := range 4 {
		if n == 0 || p.handlers[n] {
			s.client.untilCall(fmt.Sprintf("version %s at handler %d", rv, n), func(c call) bool { return c.RV == rv && c.Handler == n })
		}
	}
}

func (p *plan) handler(s *server) {
	n := 1 + p.rng.Intn(3)
	resync := []int{0, 0, 1000, 3000}[p.rng.Intn(4)]
	p.barrier(s)
	if p.handlers[n] {
		p.handlers[n] = false
		s.client.order(fmt.Sprintf("remove %d", n))
		return
	}
	synced := s.client.count(func(c call) bool { return c.Event == "synced" && c.Handler == n })
	s.client.order(fmt.Sprintf("add %d %d", n, resync))
	s.client.until("synced", func() bool {
		return s.client.countLocked(func(c call) bool { return c.Event == "synced" && c.Handler == n }) > synced
	})
	p.handlers[n] = true
}

func (p *plan) pause(s *server) {
	opened := s.openedSoFar()
	s.client.order("stop")
	for range p.rng.Intn(6) {
		p.change(s)
	}
	s.client.order("start")
	if s.ours {
		s.waitOpened(opened)
	}
}

func (p *plan) lie(s *server) {
	ghost := widget{namespace: "default", name: "ghost", rv: 50 + p.rng.Intn(40), labels: map[string]string{"pick": "yes"}}
	switch p.rng.Intn(4) {
	case 0:
		s.repeat(0)
	case 1:
		s.repeat(p.rng.Intn(5))
	case 2:
		s.raw(frame("DELETED", ghost.json()))
	default:
		s.raw(frame([]string{"ADDED", "MODIFIED"}[p.rng.Intn(2)], ghost.json()))
	}
}

func (p *plan) unseen(s *server) {
	s.unseen(endWell, func() {
		for range p.rng.Intn(8) {
			p.change(s)
		}
		s.compact()
	})
}

func (p *plan) broken(s *server) {
	errors := []*metav1.Status{
		status(410, metav1.StatusReasonExpired), status(410, metav1.StatusReasonGone), status(500, metav1.StatusReasonInternalError),
		status(504, metav1.StatusReasonTimeout), status(503, metav1.StatusReasonServiceUnavailable),
		status(403, metav1.StatusReasonForbidden), status(401, metav1.StatusReasonUnauthorized), tooManyRequests(),
	}
	switch n := p.rng.Intn(6); {
	case n < 2 && !p.liar:
		p.barrier(s) // a reset takes what was sent and not yet read with it
		s.end(cutOff)
	case n == 2 && !p.liar:
		p.barrier(s)
		s.inside([]string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"}[p.rng.Intn(5)], "a", cutOff)
	case n == 3:
		s.mu.Lock()
		s.expirePages = p.rng.Intn(2)
		s.mu.Unlock()
		p.unseen(s)
	case n == 4:
		s.mu.Lock()
		s.answers = append(s.answers, answer{status: []*metav1.Status{tooManyRequests(), errors[4]}[p.rng.Intn(2)]})
		s.mu.Unlock()
		p.unseen(s)
	default:
		s.fault(frame("ERROR", errors[p.rng.Intn(len(errors))]))
	}
}

func (p *plan) turn(s *server) {
	switch n := p.rng.Intn(40); {
	case n < 26:
		p.change(s)
	case n < 28:
		s.mu.Lock()
		s.rv += p.rng.Intn(3)
		s.emit(s.spell(bookmark(s.rv, false)))
		s.mu.Unlock()
	case n < 31:
		p.handler(s)
	case n == 31 && p.rng.Intn(2) == 0:
		p.change(s) // a stream that ends without an event is an error
		s.end(endWell)
	case n == 32 && p.pauses:
		p.pause(s)
	case n < 36 && p.liar:
		p.lie(s)
	case n == 36 && p.mayBreak():
		p.broken(s)
	}
}

// TestLively plays generated scripts: INFORMER_SEEDS of them (8) from
// INFORMER_SEED (1) on.
func TestLively(t *testing.T) {
	first := number("INFORMER_SEED", 1)
	for seed := range number("INFORMER_SEEDS", 8) {
		sc := lively(first + seed)
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			compare(t, sc, play(t, "kubemote", sc), play(t, "client-go", sc))
		})
	}
}
