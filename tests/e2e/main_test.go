// SPDX-License-Identifier: Apache-2.0

// Package e2e runs the agent that ships against a real control plane and asks
// client-go what came of it.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"kubemote.io/tests/cluster/plane"
)

// The environment that the tests read; every entry has a default.
const (
	envAgent = "KUBEMOTE_BIN"       // the agent; build/linux/kubemote
	envARM   = "KUBEMOTE_ARM_BIN"   // the agent as ARM code; build/armv7/kubemote
	envSmall = "KUBEMOTE_SMALL_BIN" // the same without the command line; build/armv7-agent/kubemote
	envLogs  = "KUBEMOTE_E2E_LOGS"  // folder that keeps every agent's log; build/e2e
)

var (
	root     string // of the repository
	logDir   string
	agentBin string
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for the cluster's clocks, so many may run at once.
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		f.Value.Set("40")
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

func prepare() error {
	var err error
	if root, err = filepath.Abs("../.."); err != nil {
		return err
	}
	if agentBin, err = fromEnv(envAgent, "build/linux/kubemote"); err != nil {
		return err
	}
	if _, err := os.Stat(agentBin); err != nil {
		return fmt.Errorf("no agent (%s): %w", envAgent, err)
	}
	if logDir, err = fromEnv(envLogs, "build/e2e"); err != nil {
		return err
	}
	if err := os.RemoveAll(logDir); err != nil {
		return err
	}
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return err
	}
	return keepAgent()
}

// keepAgent copies the agent, so that a build in the same tree does not change
// it under the tests.
func keepAgent() error {
	program, err := os.ReadFile(agentBin)
	if err != nil {
		return err
	}
	agentBin = filepath.Join(logDir, "kubemote")
	return os.WriteFile(agentBin, program, 0o755)
}

func fromEnv(name, inRepository string) (string, error) {
	if value := os.Getenv(name); value != "" {
		return filepath.Abs(value)
	}
	return filepath.Join(root, inRepository), nil
}

// sharedPlane is the control plane of the tests that break nothing but their
// own node; it records what nodes ask it.
type sharedPlane struct {
	once  sync.Once
	plane *plane.Plane
	audit *auditLog
	err   error
}

var shared sharedPlane

func theSharedPlane(t *testing.T) *plane.Plane {
	t.Helper()
	shared.once.Do(shared.start)
	check(t, shared.err)
	return shared.plane
}

func (s *sharedPlane) start() {
	if s.audit, s.err = newAuditLog(filepath.Join(logDir, "audit")); s.err != nil {
		return
	}
	s.plane, s.err = plane.Start(context.Background(), plane.Options{
		Scheduler:     true,
		APIServerArgs: s.audit.flags(),
	})
}

func (s *sharedPlane) stop() {
	if s.plane != nil {
		s.plane.Stop()
	}
}

// heavy lets one test at a time use the processors hard, planes bounds how
// many control planes of their own tests run: each takes up to 600 MB.
var (
	heavy  = make(chan struct{}, 1)
	planes = make(chan struct{}, 8)
)

func take(t *testing.T, places chan struct{}) {
	t.Helper()
	places <- struct{}{}
	t.Cleanup(func() { <-places })
}

// ownPlane starts a plane for one test.
func ownPlane(t *testing.T, o plane.Options) *plane.Plane {
	t.Helper()
	take(t, planes)
	heavy <- struct{}{}
	defer func() { <-heavy }()
	return plane.StartT(t, o)
}
