// SPDX-License-Identifier: Apache-2.0

// Package hostile shows the agent that ships what nobody should: bad files,
// bad flags, broken servers and servers that send garbage.
package hostile

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
)

// The environment that the tests read; every entry has a default.
const (
	envAgent = "KUBEMOTE_BIN"      // the agent; build/linux/kubemote
	envLogs  = "KUBEMOTE_E2E_LOGS" // folder beside which the agents' logs are kept; build/e2e
)

var (
	agentBin   string
	clusterBin string
	logDir     string
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for the agent's back-off, so many may run at once.
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		f.Value.Set("40")
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
	code := m.Run()
	if theOne.plane != nil {
		theOne.plane.Stop()
	}
	os.Exit(code)
}

func prepare() error {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	if agentBin = os.Getenv(envAgent); agentBin == "" {
		agentBin = filepath.Join(root, "build/linux/kubemote")
	}
	if agentBin, err = filepath.Abs(agentBin); err != nil {
		return err
	}
	if _, err = os.Stat(agentBin); err != nil {
		return fmt.Errorf("no agent (%s): %w", envAgent, err)
	}
	if clusterBin, err = plane.Binary(); err != nil {
		return err
	}
	logs := os.Getenv(envLogs)
	if logs == "" {
		logs = filepath.Join(root, "build/e2e")
	}
	// Package e2e empties its own folder while this one runs.
	logDir = filepath.Clean(logs) + "-hostile"
	if err := os.RemoveAll(logDir); err != nil {
		return err
	}
	return os.MkdirAll(logDir, 0o755)
}

// theOne is the control plane of all tests: each has a node of its own, and
// the faults stand in front of it. Nobody judges nodes, so that a node's
// condition is the agent's alone.
var theOne struct {
	once  sync.Once
	plane *plane.Plane
	err   error
}

func thePlane(t *testing.T) *plane.Plane {
	t.Helper()
	theOne.once.Do(func() {
		theOne.plane, theOne.err = plane.Start(context.Background(), plane.Options{
			Keys: plane.P256, NoControllerManager: true, TokenNodes: []string{"unauthorized"},
		})
	})
	check(t, theOne.err)
	return theOne.plane
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually calls f until it returns nil. The limits are generous: two busy
// cores are shared with control planes.
func eventually(t *testing.T, limit time.Duration, what string, f func() error) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Since(began) > limit {
			t.Fatalf("%s: not after %s: %v", what, limit, err)
		}
	}
}
