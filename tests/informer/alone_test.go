// SPDX-License-Identifier: Apache-2.0

package informer

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestRestored: the server's store is an older copy; client-go stays wrong for
// ever here, so kubemote is judged alone.
func TestRestored(t *testing.T) {
	s := newServer(t)
	for _, name := range []string{"a", "b", "c"} {
		s.store("default", name, 20)
	}
	tr := startTrace(t, programs["kubemote"], writeKubeconfig(t, s.address), "--resource", resourceName)
	s.next()
	tr.synced()
	s.put("d")
	tr.sees("default/d")
	s.unseen(cutOff, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.rv, s.history = 40, nil
		s.objects = map[string]widget{}
		s.store("default", "a", 20)
		s.store("default", "before", 20)
	})
	s.put(sentinel)
	tr.sees("default/" + sentinel)
	if got := tr.askContents().Contents; !reflect.DeepEqual(got, s.contents()) {
		t.Errorf("contents %v, the server has %v", got, s.contents())
	}
	tr.stop()
}

// note counts the versions that a program saw; one life sees none twice.
func note(t *testing.T, seen map[string]int, tr *trace) {
	life := map[string]bool{}
	for _, c := range tr.calls {
		if c.Event == "synced" {
			continue
		}
		if life[c.RV] {
			t.Errorf("version %s came twice: %v", c.RV, tr.calls)
		}
		life[c.RV] = true
		seen[c.RV]++
	}
}

// TestSavedVersion kills the program again and again: no event is missed, none
// comes twice in one life, and nothing is listed again.
func TestSavedVersion(t *testing.T) {
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "rv")
	kubeconfig := writeKubeconfig(t, s.address)
	begin := func() *trace {
		return startTrace(t, programs["kubemote"], kubeconfig, "--resource", resourceName, "--save", file)
	}
	seen := map[string]int{}
	for round := range 6 {
		opened := s.openedSoFar()
		tr := begin()
		s.waitOpened(opened)
		eventually(t, "the first version saved", func() error { _, err := os.Stat(file); return err })
		for i := range 10 {
			s.put(fmt.Sprintf("o%d", (round*7+i)%12))
			time.Sleep(time.Duration(i*round) * time.Millisecond)
		}
		if round%2 == 1 {
			tr.until("the round's last event", func() bool {
				n := len(tr.calls)
				return n > 0 && tr.calls[n-1].RV == fmt.Sprint(s.rv)
			})
		}
		tr.command.Process.Kill()
		<-tr.done
		note(t, seen, tr)
		s.put("unseen")
	}
	opened := s.openedSoFar()
	tr := begin()
	s.waitOpened(opened)
	s.put(sentinel)
	tr.sees("default/" + sentinel)
	tr.stop()
	note(t, seen, tr)
	for _, e := range s.history {
		if seen[fmt.Sprint(e.rv)] == 0 {
			t.Errorf("the event of version %d never came", e.rv)
		}
	}
	saved, err := os.ReadFile(file)
	if err != nil || strings.TrimSpace(string(saved)) != fmt.Sprint(s.rv) {
		t.Errorf("saved %q, %v; the last is %d", saved, err, s.rv)
	}
	lists := 0
	for _, r := range s.requests {
		if strings.Contains(r, "sendInitialEvents") {
			lists++
		}
	}
	if lists != 1 {
		t.Errorf("%d lists, want the first alone", lists)
	}
}

// TestSavedTooOld: what was saved can't be had any more, or not yet again (the
// store was restored), or is none.
func TestSavedTooOld(t *testing.T) {
	for _, saved := range []struct {
		rv      string
		asEvent bool
	}{{"7\n", false}, {"7\n", true}, {"5000\n", false}} {
		s := newServer(t)
		s.expiredAsEvent = saved.asEvent
		s.put("a")
		s.put("b")
		s.compact()
		file := filepath.Join(t.TempDir(), "rv")
		os.WriteFile(file, []byte(saved.rv), 0o600)
		tr := startTrace(t, programs["kubemote"], writeKubeconfig(t, s.address), "--resource", resourceName, "--save", file)
		tr.synced()
		if got := tr.askContents().Contents; !reflect.DeepEqual(got, s.contents()) {
			t.Errorf("contents %v, the server has %v", got, s.contents())
		}
		tr.stop()
		if !strings.Contains(tr.errors.String(), "can't go on from the saved resourceVersion") {
			t.Errorf("nothing said: %s", tr.errors.String())
		}
	}
	for _, text := range []string{"", "12", "1 2\n", "a/b?c\n", strings.Repeat("9", 60) + "\n", "\x00\n"} {
		s := newServer(t)
		s.put("a")
		file := filepath.Join(t.TempDir(), "rv")
		os.WriteFile(file, []byte(text), 0o600)
		tr := startTrace(t, programs["kubemote"], writeKubeconfig(t, s.address), "--resource", resourceName, "--save", file)
		tr.synced()
		tr.stop()
	}
}

// TestOverflow: more objects than the trace's 2,000 slots.
func TestOverflow(t *testing.T) {
	s := newServer(t)
	for i := range 2010 {
		s.store("default", fmt.Sprintf("o%04d", i), 10)
	}
	tr := startTrace(t, programs["kubemote"], writeKubeconfig(t, s.address), "--resource", resourceName)
	tr.synced()
	if n := len(tr.askContents().Contents); n != 2000 {
		t.Errorf("%d objects in 2000 slots", n)
	}
	for i := range 20 {
		s.del(fmt.Sprintf("o%04d", i))
	}
	eventually(t, "the objects that were left out", func() error {
		if got := tr.askContents().Contents; !reflect.DeepEqual(got, s.contents()) {
			return fmt.Errorf("%d objects, the server has %d", len(got), len(s.contents()))
		}
		return nil
	})
	if n := len(s.requests); n > 4 {
		t.Errorf("%d requests: %v", n, s.requests)
	}
	tr.stop()
	if strings.Count(tr.errors.String(), "The cache is full") != 1 {
		t.Errorf("log: %s", tr.errors.String())
	}
}
