// SPDX-License-Identifier: Apache-2.0

package informer

import (
	"fmt"
	"maps"
	"math/rand"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/proxy"
)

const sentinel = "zz-last"

// script is what happens to both programs, each with a server of its own.
type script struct {
	name string
	// before the program starts; four objects are there
	prepare func(s *server)
	run     func(s *server)
	// The link breaks in it: kubemote lists anew where client-go goes on with
	// the watch, so updates that change nothing are left out of the comparison.
	broken bool
	// A new list brings what the watch had brought: only the first and the last
	// version of a run of updates count.
	merged bool
	// kubemote's link goes through a proxy that may forget it.
	halfOpen bool
	// kubemote's wall clock leaps. client-go's stays right: a leap must change
	// no call.
	leaps bool
	// With TLS.
	secure bool
	// kubemote asks for metadata alone.
	metadata bool
	// The two don't live through the same: only the ends are compared, and each
	// trace must follow in itself.
	loose bool
	// Handlers come and go: nobody waits at the end for the calls of those.
	handlers bool
	// further arguments of both programs
	arguments []string
	// right behind the start of the program
	started func(s *server)
}

func nothing(*server) {}

func boundaryScripts() []script {
	steps := []func(s *server){
		func(s *server) { s.put("d") }, func(s *server) { s.put("a") }, func(s *server) { s.del("b") },
		func(s *server) { s.put("b") }, func(s *server) { s.del("d") },
	}
	var result []script
	for at := 0; at <= len(steps); at++ {
		result = append(result, script{name: fmt.Sprintf("cut at event boundary %d", at), broken: true, run: func(s *server) {
			for i, step := range steps {
				if i == at {
					s.end(cutOff)
				}
				step(s)
			}
			if at == len(steps) {
				s.end(cutOff)
			}
		}})
	}
	for _, share := range []float64{0.01, 0.3, 0.5, 0.9, 0.98} {
		result = append(result, script{name: fmt.Sprintf("cut inside an event at %v", share), broken: true, run: func(s *server) {
			s.put("a")
			s.putInside("e", share)
			s.del("e")
		}})
	}
	for at := range steps {
		result = append(result, script{name: fmt.Sprintf("cut inside event %d", at), broken: true, run: func(s *server) {
			for i, step := range steps {
				if i == at {
					s.inside([]string{"ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"}[i], []string{"d", "a", "b", "b", "d"}[i], cutOff)
				}
				step(s)
			}
		}})
	}
	return append(result,
		script{name: "cut inside a bookmark", broken: true, run: func(s *server) { s.put("a"); s.inside("BOOKMARK", "", cutOff); s.put("b") }},
		script{name: "cut inside an ERROR", broken: true, run: func(s *server) { s.put("a"); s.inside("ERROR", "", cutOff); s.put("b") }},
		script{name: "ended in order inside an event", broken: true, run: func(s *server) {
			s.put("a")
			s.inside("MODIFIED", "a", endWell)
			s.put("a")
		}})
}

func errorScripts() []script {
	var result []script
	for _, st := range []*metav1.Status{
		status(410, metav1.StatusReasonExpired), status(410, metav1.StatusReasonGone),
		status(500, metav1.StatusReasonInternalError), status(504, metav1.StatusReasonTimeout),
		status(503, metav1.StatusReasonServiceUnavailable), status(403, metav1.StatusReasonForbidden),
		status(401, metav1.StatusReasonUnauthorized), tooManyRequests(),
	} {
		result = append(result, script{name: fmt.Sprintf("ERROR event %d %s", st.Code, st.Reason), run: func(s *server) {
			s.put("a")
			s.fault(frame("ERROR", st))
			s.put("b")
			s.del("a")
		}})
	}
	return result
}

func unseenChanges(s *server) {
	s.put("new")
	s.put("a")
	s.put("a")
	s.del("b")
	s.del("c")
	s.put("c")
}

func expiredScripts() []script {
	var result []script
	for _, asEvent := range []bool{false, true} {
		result = append(result, script{name: fmt.Sprintf("410 on resume, as event %v", asEvent),
			prepare: func(s *server) { s.expiredAsEvent = asEvent },
			run: func(s *server) {
				s.put("d")
				s.unseen(endWell, func() { unseenChanges(s); s.compact() })
				s.put("b")
			}})
	}
	return append(result,
		script{name: "410 midway, with changes that nobody saw", run: func(s *server) {
			s.put("d")
			s.mu.Lock()
			opened := s.opened
			s.emit(frame("ERROR", status(410, metav1.StatusReasonExpired)))
			s.open = nil
			release := s.noRequests()
			s.mu.Unlock()
			unseenChanges(s)
			s.compact()
			release()
			s.waitOpened(opened)
			s.put("b")
		}},
		script{name: "compacted behind a clean end", run: func(s *server) {
			s.put("b")
			s.compact()
			s.end(endWell)
			s.put("a")
		}})
}

func listScripts() []script {
	noStreams := func(s *server) { s.noStreams = true }
	return []script{
		{name: "no streaming lists", prepare: noStreams, run: func(s *server) {
			s.put("a")
			s.end(endWell)
			s.del("b")
			s.unseen(endWell, func() { unseenChangesWithoutB(s); s.compact() })
			s.put("d")
		}},
		{name: "metadata alone", metadata: true, run: unseenChanges},
		{name: "metadata alone, no streaming lists", metadata: true, prepare: noStreams, run: unseenChanges},
		{name: "list in pages", prepare: func(s *server) { s.noStreams = true; s.pageSize = 2 }, run: func(s *server) {
			s.unseen(endWell, func() { unseenChanges(s); s.compact() })
		}},
		{name: "page of the first list expired", prepare: func(s *server) { s.noStreams = true; s.pageSize = 2; s.expirePages = 1 }, run: func(s *server) {
			s.put("a")
		}},
		{name: "page of a later list expired", merged: true, prepare: func(s *server) { s.noStreams = true; s.pageSize = 2 }, run: func(s *server) {
			s.mu.Lock()
			s.expirePages = 1
			s.mu.Unlock()
			s.unseen(endWell, func() { unseenChanges(s); s.compact() })
			s.put("a")
		}},
		{name: "first list 429 and 503", prepare: func(s *server) {
			s.answers = []answer{{status: tooManyRequests()}, {status: status(503, metav1.StatusReasonServiceUnavailable)}}
		}, run: nothing},
		{name: "streaming list cut before its bookmark", prepare: func(s *server) { s.cutList = 2 }, run: func(s *server) { s.put("a") }},
		{name: "events before the bookmark", prepare: func(s *server) {
			w, kind := s.store("default", "a", 20)
			x, more := s.store("default", "new", 20)
			gone := s.objects["default/b"]
			delete(s.objects, gone.key())
			s.rv++
			old := gone
			gone.rv = s.rv
			s.beforeBookmark = [][]byte{frame(kind, w.json()), frame(more, x.json()), frame("ADDED", old.json()), frame("DELETED", gone.json())}
		}, run: func(s *server) { s.put("a") }},
		{name: "empty list", prepare: func(s *server) { s.objects = map[string]widget{} }, run: func(s *server) { s.put("a"); s.del("a") }},
	}
}

func unseenChangesWithoutB(s *server) {
	s.put("new")
	s.put("a")
	s.del("c")
	s.put("c")
}

func streamScripts() []script {
	return []script{
		{name: "plain events", run: func(s *server) {
			for i := range 20 {
				s.put(string(rune('a' + i%5)))
			}
			s.del("a")
			s.del("c")
			s.put("a")
		}},
		{name: "bookmarks only", run: func(s *server) {
			for range 5 {
				s.mu.Lock()
				s.rv += 3
				s.emit(bookmark(s.rv, false))
				s.mu.Unlock()
				s.end(endWell)
			}
		}},
		{name: "repeated and older events", run: func(s *server) {
			s.put("a")
			s.put("a")
			s.repeat(0)
			s.repeat(1)
			s.repeat(0)
			s.put("a")
		}},
		{name: "deleted twice and unknown", run: func(s *server) {
			s.del("a")
			s.repeat(0)
			s.raw(frame("DELETED", widget{namespace: "default", name: "never", rv: 50}.json()))
			s.put("a")
		}},
		{name: "added twice, modified unknown", run: func(s *server) {
			s.put("d")
			s.repeat(0)
			w := widget{namespace: "default", name: "unknown", rv: 60, labels: map[string]string{}}
			s.raw(frame("MODIFIED", w.json()))
			w.rv = 61
			s.raw(frame("DELETED", w.json()))
		}},
		{name: "clean end every second", run: func(s *server) {
			for i := range 4 {
				time.Sleep(1100 * time.Millisecond)
				s.put(string(rune('a' + i)))
				s.end(endWell)
			}
		}},
		{name: "clean ends at once", run: func(s *server) {
			for i := range 3 {
				s.put(string(rune('a' + i)))
				s.end(endWell)
			}
		}},
		{name: "watch refused by 429", run: func(s *server) {
			s.mu.Lock()
			s.answers = []answer{{tooManyRequests(), "watch"}, {tooManyRequests(), "watch"}}
			s.mu.Unlock()
			s.put("a")
			s.end(endWell)
			s.put("b")
		}},
		{name: "watch refused by 503", run: func(s *server) {
			s.mu.Lock()
			s.answers = []answer{{status(503, metav1.StatusReasonServiceUnavailable), "watch"}}
			s.mu.Unlock()
			s.put("a")
			s.end(endWell)
			s.put("b")
		}},
		{name: "storm of 429", broken: true, run: func(s *server) {
			s.put("a")
			s.storm(tooManyRequests(), 4)
			s.put("b")
		}},
		{name: "storm of 503", broken: true, run: func(s *server) {
			s.put("a")
			s.storm(status(503, metav1.StatusReasonServiceUnavailable), 3)
			s.put("b")
		}},
		{name: "the program stands still for 3 s", run: func(s *server) {
			s.put("a")
			s.standStill(3*time.Second, func() {
				s.put("a")
				s.del("b")
				s.put("new")
			})
			s.put("b")
		}},
		{name: "the program stands still while its stream ends", run: func(s *server) {
			s.put("a")
			s.mu.Lock()
			opened := s.opened
			s.mu.Unlock()
			s.standStill(3*time.Second, func() {
				s.put("a")
				s.mu.Lock()
				s.leave(endWell)
				s.mu.Unlock()
			})
			s.waitOpened(opened)
			s.put("b")
		}},
		{name: "server restart", broken: true, run: func(s *server) {
			s.put("a")
			s.restart(1500 * time.Millisecond)
			s.put("b")
		}},
		{name: "an object of 1.4 MB", run: func(s *server) {
			s.putSized("big", 1400000)
			s.put("a")
			s.putSized("big", 1400001)
			s.end(endWell)
			s.del("big")
		}},
		{name: "an object of 1.4 MB in the list", prepare: func(s *server) { s.store("default", "big", 1400000) }, run: func(s *server) { s.put("big") }},
		{name: "no JSON", broken: true, run: func(s *server) { s.put("a"); s.fault([]byte("{\"type\":\"ADDED\",]\n")); s.put("b") }},
		{name: "unknown event type", broken: true, run: func(s *server) {
			s.put("a")
			s.fault(frame("CHANGED", widget{namespace: "default", name: "a", rv: 500}.json()))
			s.put("b")
		}},
		{name: "recreated while nobody looked", run: func(s *server) {
			s.unseen(endWell, func() { s.del("a"); s.put("a"); s.compact() })
		}},
	}
}

// The limit of a stream's silence in scripts with half-open links; 150 s otherwise.
const silence = "3000"

func halfOpenScripts() []script {
	noStreams := func(s *server) { s.noStreams = true }
	twice := func(s *server) {
		s.put("a")
		s.lose(nil)
		s.put("b")
		s.del("a")
		s.lose(nil)
		s.put("a")
		s.put("c")
	}
	unseen := func(s *server) {
		s.put("d")
		s.lose(func() { unseenChanges(s) })
		s.put("b")
		s.del("a")
	}
	return []script{
		{name: "half-open link", broken: true, halfOpen: true, run: twice},
		{name: "half-open link, without streaming lists", broken: true, halfOpen: true, prepare: noStreams, run: twice},
		{name: "half-open link, with changes that nobody saw", broken: true, halfOpen: true, run: unseen},
		{name: "half-open link, TLS, with changes that nobody saw", broken: true, halfOpen: true, secure: true, run: unseen},
	}
}

const (
	year = 365 * 24 * time.Hour
	era  = 60 * year // back from now is before 1970
)

// leapScripts: the open stream is told on, streams that end are opened again,
// back-off ends in its time, whatever the wall clock says.
func leapScripts() []script {
	leaping := func(by ...time.Duration) func(s *server) {
		return func(s *server) {
			for _, d := range by {
				s.put("a")
				s.leap(d)
				s.put("a")
				s.end(endWell)
				s.del("b")
				s.put("b")
			}
			s.end(cutOff)
			s.put("c")
			s.storm(status(503, metav1.StatusReasonServiceUnavailable), 1)
			s.leap(0)
			s.put("a")
		}
	}
	return []script{
		{name: "clock a year ahead", broken: true, leaps: true, run: leaping(year)},
		{name: "clock a year back", broken: true, leaps: true, run: leaping(-year)},
		{name: "clock before 1970", broken: true, leaps: true, run: leaping(-era)},
		{name: "clock to and fro", broken: true, leaps: true, run: leaping(year, -year, -era, era, 0)},
		{name: "clock a year back, TLS", broken: true, leaps: true, secure: true, run: leaping(-year)},
		{name: "clock a year ahead, past the certificate's end", broken: true, leaps: true, secure: true, run: func(s *server) {
			s.put("a")
			s.leap(year)
			s.put("a")
			s.end(endWell)
			s.put("b")
			s.unseen(cutOff, func() { s.refuses(); s.leap(0) })
			s.put("c")
		}},
		{name: "started before 1970, then the clock is set", leaps: true, secure: true,
			prepare: func(s *server) { s.leap(-era) },
			started: func(s *server) { s.refuses(); s.leap(0) },
			run:     func(s *server) { s.put("a"); s.end(endWell); s.del("b") }},
	}
}

// generated scripts change and break at random; one break of the link each, as
// the back-off grows with every further one.
func generated(seed int64) script {
	return script{name: fmt.Sprintf("generated %d", seed), broken: true, run: func(s *server) {
		rng := rand.New(rand.NewSource(seed))
		cutAt := rng.Intn(60)
		for i := range 60 {
			name := string(rune('a' + rng.Intn(8)))
			_, there := s.contents()["default/"+name]
			switch n := rng.Intn(20); {
			case i == cutAt:
				s.end(cutOff)
			case n < 11:
				s.put(name)
			case n < 16 && there:
				s.del(name)
			case n == 16:
				s.repeat(0)
			case n == 17:
				s.mu.Lock()
				s.emit(bookmark(s.rv, false))
				s.mu.Unlock()
			case n == 18 && i%4 == 0:
				s.end(endWell)
			}
		}
	}}
}

func allScripts() []script {
	result := append(boundaryScripts(), errorScripts()...)
	result = append(result, expiredScripts()...)
	result = append(result, listScripts()...)
	result = append(result, streamScripts()...)
	result = append(result, halfOpenScripts()...)
	result = append(result, leapScripts()...)
	for seed := range int64(8) {
		result = append(result, generated(seed+1))
	}
	return result
}

type outcome struct {
	calls    map[string][]call
	synced   int
	contents contents
	server   map[string]string
	requests []string
}

// begin starts a program in front of its server.
func begin(t *testing.T, program string, sc script, s *server) *trace {
	t.Helper()
	arguments := append([]string{"--resource", resourceName, "--index", "label:z/turn"}, sc.arguments...)
	address := s.address
	if sc.metadata && program == "kubemote" {
		arguments = append(arguments, "--metadata")
	}
	if sc.halfOpen && program == "kubemote" {
		link, err := proxy.New("127.0.0.1:0", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(link.Close)
		s.link, address = link, link.Addr()
		arguments = append(arguments, "--silence", silence)
	}
	if s.clock != "" {
		arguments = append(arguments, "--clock", s.clock, "-v", "6")
	}
	if sc.secure {
		return startTrace(t, programs[program], tlsKubeconfig(t, address), arguments...)
	}
	return startTrace(t, programs[program], writeKubeconfig(t, address), arguments...)
}

func play(t *testing.T, program string, sc script) outcome {
	t.Helper()
	s := newServerWith(t, sc.secure)
	s.ours = program == "kubemote"
	if sc.leaps && program == "kubemote" {
		s.clock = filepath.Join(t.TempDir(), "clock")
	}
	for _, name := range []string{"a", "b", "c"} {
		s.store("default", name, 20)
	}
	s.store("other", "a", 20)
	if sc.prepare != nil {
		sc.prepare(s)
	}
	tr := begin(t, program, sc, s)
	s.client = tr
	if sc.started != nil {
		sc.started(s)
	}
	s.next()
	tr.synced()
	sc.run(s)
	s.mu.Lock()
	s.barrier = true
	s.mu.Unlock()
	s.put(sentinel)
	tr.sees("default/" + sentinel)
	if sc.handlers {
		time.Sleep(100 * time.Millisecond)
	}
	o := outcome{contents: tr.askContents(), server: s.contents(), requests: s.requests}
	tr.stop()
	o.calls, o.synced = tr.perKey()
	return o
}

// normal leaves out what a script says is not determined.
func normal(calls []call, sc script) []string {
	var result []string
	for _, c := range calls {
		if sc.broken && c.Event == "update" && c.Old == c.RV {
			continue
		}
		if sc.merged && c.Event == "update" && len(result) > 0 && strings.HasPrefix(result[len(result)-1], "update") {
			continue
		}
		result = append(result, c.String())
	}
	return result
}

func compare(t *testing.T, sc script, ours, theirs outcome) {
	t.Helper()
	keys := map[string]bool{}
	for key := range ours.calls {
		keys[key] = true
	}
	for key := range theirs.calls {
		keys[key] = true
	}
	if sc.loose {
		keys = nil
		// Others than the first handler begin anew whenever they are added.
		maps.DeleteFunc(ours.calls, func(key string, _ []call) bool { return strings.Contains(key, ", handler") })
		if err := consistent(ours.calls); err != nil {
			t.Error(err)
		}
	}
	var sorted []string
	for key := range keys {
		sorted = append(sorted, key)
	}
	sort.Strings(sorted)
	for _, key := range sorted {
		a, b := normal(ours.calls[key], sc), normal(theirs.calls[key], sc)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s:\n kubemote  %v\n client-go %v", key, strings.Join(a, ", "), strings.Join(b, ", "))
		}
	}
	if ours.synced != 1 || theirs.synced != 1 {
		t.Errorf("synced: kubemote %d times, client-go %d times", ours.synced, theirs.synced)
	}
	if !reflect.DeepEqual(ours.contents, theirs.contents) {
		t.Errorf("contents:\n kubemote  %v\n client-go %v", ours.contents, theirs.contents)
	}
	if t.Failed() {
		t.Logf("requests of kubemote:\n%s\nrequests of client-go:\n%s", strings.Join(ours.requests, "\n"), strings.Join(theirs.requests, "\n"))
	}
}

func TestScripted(t *testing.T) {
	for _, sc := range allScripts() {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			ours := play(t, "kubemote", sc)
			theirs := play(t, "client-go", sc)
			compare(t, sc, ours, theirs)
		})
	}
}
