// SPDX-License-Identifier: Apache-2.0

package plane_test

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"kubemote.io/tests/cluster/plane"
)

func TestAPIServerRestarts(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	addConfigMap(t, p, "kept")
	old := p.PIDs()["apiserver"]

	began := time.Now()
	p.StopAPIServer()
	t.Logf("stopped in good order after %.1f s", time.Since(began).Seconds())
	if err := getConfigMap(t.Context(), p, "kept"); err == nil {
		t.Fatal("a stopped server answers")
	}
	began = time.Now()
	check(t, p.StartAPIServer(t.Context()))
	t.Logf("ready again after %.1f s", time.Since(began).Seconds())
	check(t, getConfigMap(t.Context(), p, "kept"))

	p.KillAPIServer()
	check(t, p.StartAPIServer(t.Context()))
	check(t, getConfigMap(t.Context(), p, "kept"))
	if now := p.PIDs()["apiserver"]; now == old {
		t.Fatal("it is the same process")
	}
	select {
	case err := <-p.Dead():
		t.Fatalf("a wanted end was reported: %v", err)
	default:
	}
}

// A watch would hold an orderly end up for a minute, were that not limited.
func TestAPIServerStopsQuicklyUnderWatch(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	w, err := p.Client().CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{})
	check(t, err)
	defer w.Stop()
	began := time.Now()
	p.StopAPIServer()
	if took := time.Since(began); took > 45*time.Second {
		t.Errorf("stopped after %.1f s", took.Seconds())
	}
	for {
		select {
		case _, open := <-w.ResultChan():
			if !open {
				return
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the watch of a stopped server is still open")
		}
	}
}

func TestPausedAPIServerAnswersAfterResume(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	addConfigMap(t, p, "here")
	p.PauseAPIServer()
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := getConfigMap(short, p, "here"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a paused server: %v, want silence", err)
	}
	p.ResumeAPIServer()
	check(t, getConfigMap(t.Context(), p, "here"))
}

func TestEtcdStopsAndStarts(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	addConfigMap(t, p, "kept")
	p.StopEtcd()
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := p.Client().CoreV1().ConfigMaps("default").Create(short, configMap("lost"), metav1.CreateOptions{})
	if err == nil {
		t.Fatal("a write without a store was accepted")
	}
	check(t, p.StartEtcd(t.Context()))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if err = getConfigMap(t.Context(), p, "kept"); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestEtcdRestoresOlderCopy(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{})
	early := addConfigMap(t, p, "early")
	snapshot, err := p.SnapshotEtcd(t.Context())
	check(t, err)
	late := addConfigMap(t, p, "late")

	began := time.Now()
	check(t, p.RestoreEtcd(t.Context(), snapshot))
	t.Logf("restored and ready after %.1f s", time.Since(began).Seconds())
	again, err := p.Client().CoreV1().ConfigMaps("default").Get(t.Context(), "early", metav1.GetOptions{})
	check(t, err)
	if again.UID != early.UID || again.ResourceVersion != early.ResourceVersion {
		t.Fatalf("restored %s at %s, was %s at %s", again.UID, again.ResourceVersion, early.UID, early.ResourceVersion)
	}
	if err := getConfigMap(t.Context(), p, "late"); !apierrors.IsNotFound(err) {
		t.Fatalf("the later object: %v, want 404", err)
	}
	// The revision went back, so the late object's one is in the future.
	list, err := p.Client().CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
	check(t, err)
	t.Logf("late was at %s, the store is at %s", late.ResourceVersion, list.ResourceVersion)
	addConfigMap(t, p, "after")
}

func TestEtcdWiped(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{})
	addConfigMap(t, p, "gone")
	check(t, p.WipeEtcd(t.Context()))
	if err := getConfigMap(t.Context(), p, "gone"); !apierrors.IsNotFound(err) {
		t.Fatalf("from before the wipe: %v, want 404", err)
	}
	addConfigMap(t, p, "after")
}

// After a compaction and a restart nothing can be watched from an old version.
func TestCompactionExpiresOldVersions(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{NoControllerManager: true})
	old := addConfigMap(t, p, "old")
	for _, name := range []string{"a", "b", "c"} {
		addConfigMap(t, p, name)
	}
	rev, err := p.CompactEtcd(t.Context())
	check(t, err)
	if rev == 0 {
		t.Fatal("compacted at revision 0")
	}
	check(t, p.RestartAPIServer(t.Context()))
	w, err := p.Client().CoreV1().ConfigMaps("default").Watch(t.Context(),
		metav1.ListOptions{ResourceVersion: old.ResourceVersion})
	if err != nil {
		if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			t.Fatalf("watch: %v, want 410", err)
		}
		return
	}
	defer w.Stop()
	select {
	case e := <-w.ResultChan():
		if err := apierrors.FromObject(e.Object); e.Type != watch.Error || !apierrors.IsResourceExpired(err) {
			t.Fatalf("first event %s %v, want 410", e.Type, e.Object)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
	}
}

func TestControllerManagerStopsAndStarts(t *testing.T) {
	t.Parallel()
	p := plane.StartT(t, plane.Options{TLSMax: tls.VersionTLS12})
	p.StopControllerManager()
	if pid, runs := p.PIDs()["controller-manager"]; runs {
		t.Fatalf("it still runs as %d", pid)
	}
	check(t, p.StartControllerManager(t.Context()))
	if _, runs := p.PIDs()["controller-manager"]; !runs {
		t.Fatal("it does not run")
	}
}
