// SPDX-License-Identifier: Apache-2.0

package informer

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

const (
	soakObjects     = 300
	soakPerRound    = 100 // events between two connections
	soakCutEvery    = 60  // rounds; the others end in order
	arenaTopSlack   = 512 // bytes: certificates' numbers and tickets differ in length
	arenaIdleSlack  = 256
	arenaPool       = "tls_arena_bytes"
	warmShare       = 10 // the first tenth is not judged
	soakRoundsShort = 20
)

// pools is what the metrics file says: used, max and refused by pool.
func pools(t *testing.T, path string) (used, most, refused map[string]int) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used, most, refused = map[string]int{}, map[string]int{}, map[string]int{}
	for kind, to := range map[string]map[string]int{"used": used, "max": most, "refused_total": refused} {
		for _, line := range strings.Split(string(text), "\n") {
			name, ok := strings.CutPrefix(line, "kubemote_pool_"+kind+`{pool="`)
			if !ok {
				continue
			}
			name, value, _ := strings.Cut(name, `"} `)
			if to[name], err = strconv.Atoi(value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return used, most, refused
}

// sizes are lines of /proc/PID/status that grow when a program takes memory.
func (tr *trace) sizes(t *testing.T) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tr.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "VmSize:") || strings.HasPrefix(line, "VmData:") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, ", ")
}

type soak struct {
	t      *testing.T
	server *server
	trace  *trace
	rng    *rand.Rand
	events int
}

// round is a stream's life: events, then its end, in order or not.
func (s *soak) round(number int) {
	for range soakPerRound {
		name := fmt.Sprintf("o%03d", s.rng.Intn(soakObjects))
		_, there := s.server.contents()["default/"+name]
		if there && s.rng.Intn(4) == 0 {
			s.server.del(name)
		} else {
			s.server.put(name)
		}
		s.events++
	}
	how := endWell
	if number%soakCutEvery == soakCutEvery/4 {
		how = cutOff
	}
	s.server.end(how)
}

// rest waits until all is told, and looks at the idle program.
func (s *soak) rest(metrics string) (used, most, refused map[string]int, sizes string) {
	s.t.Helper()
	eventually(s.t, "the server's contents", func() error {
		if got := s.trace.askContents().Contents; !reflect.DeepEqual(got, s.server.contents()) {
			return fmt.Errorf("%d objects, the server has %d", len(got), len(s.server.contents()))
		}
		return nil
	})
	used, most, refused = pools(s.t, metrics)
	return used, most, refused, s.trace.sizes(s.t)
}

// TestSoak: many events over many TLS connections through the sealed program,
// which a single heap call would end. INFORMER_SOAK_ROUNDS=1000 is the long run:
// 1,000 connections, 100,000 events; a connection lives a second at least.
func TestSoak(t *testing.T) {
	t.Parallel()
	rounds := soakRoundsShort
	if text := os.Getenv("INFORMER_SOAK_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	server := newServerWith(t, true)
	server.newLinks = true
	metrics := filepath.Join(t.TempDir(), "metrics")
	s := &soak{t: t, server: server, rng: rand.New(rand.NewSource(1)),
		trace: startTrace(t, programs["kubemote"], tlsKubeconfig(t, server.address), "--resource", resourceName, "--quiet", "--metrics", metrics)}
	server.next()
	warm := max(rounds/warmShare, 2)
	for number := range warm {
		s.round(number)
	}
	used, most, _, sizes := s.rest(metrics)
	for number := warm; number < rounds; number++ {
		s.round(number)
	}
	usedEnd, mostEnd, refused, sizesEnd := s.rest(metrics)
	t.Logf("%d events over %d connections; arena at most %d bytes, %d at the end; idle %d, %d; %s", s.events, server.openedSoFar(),
		most[arenaPool], mostEnd[arenaPool], used[arenaPool], usedEnd[arenaPool], sizesEnd)
	if mostEnd[arenaPool] == 0 || mostEnd[arenaPool] > most[arenaPool]+arenaTopSlack {
		t.Errorf("the arena's high water rose from %d to %d bytes", most[arenaPool], mostEnd[arenaPool])
	}
	if usedEnd[arenaPool] > used[arenaPool]+arenaIdleSlack {
		t.Errorf("of the arena %d bytes were used, and %d at the end", used[arenaPool], usedEnd[arenaPool])
	}
	for name, count := range usedEnd {
		// log_site counts the places that ever wrote a line.
		if name != arenaPool && name != "log_site" && !strings.HasPrefix(name, "items") && count != used[name] {
			t.Errorf("pool %s: %d used, and %d at the end", name, used[name], count)
		}
		if refused[name] != 0 {
			t.Errorf("pool %s refused %d times", name, refused[name])
		}
	}
	if sizes != sizesEnd {
		t.Errorf("memory grew: %s, and %s at the end", sizes, sizesEnd)
	}
	s.trace.stop()
}
