// SPDX-License-Identifier: Apache-2.0

package informer

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	figureObjects = 500
	figureUpdates = 10000
)

// pod is some 7 kB of JSON, shaped as a pod's status and spec are.
func pod() any {
	var containers []any
	for i := range 6 {
		var env []any
		for j := range 9 {
			env = append(env, map[string]any{"name": fmt.Sprintf("VARIABLE_%d_%d", i, j), "value": strings.Repeat("v", 20+j),
				"valueFrom": map[string]any{"fieldRef": map[string]any{"apiVersion": "v1", "fieldPath": "status.podIP"}}})
		}
		containers = append(containers, map[string]any{"name": fmt.Sprintf("container-%d", i), "image": "registry.example.io/team/app:v1.2.3",
			"env": env, "ready": true, "restartCount": i, "resources": map[string]any{"limits": map[string]any{"cpu": "100m", "memory": "64Mi"}}})
	}
	return map[string]any{"containers": containers, "phase": "Running", "conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
}

func tlsKubeconfig(t *testing.T, s *server) string {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {server: \"https://%s\", "+
		"certificate-authority-data: %s}\ncontexts:\n- name: c\n  context: {cluster: c, user: u}\nusers:\n- name: u\n  user: {}\n",
		s.address, base64.StdEncoding.EncodeToString(ca))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// processor is the time that the process used, from its own clock's file.
func (tr *trace) processor(t *testing.T) time.Duration {
	var sum time.Duration
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", tr.command.Process.Pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

func (tr *trace) resident(t *testing.T) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tr.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "VmRSS:") {
			kb, _ := strconv.Atoi(strings.Fields(line)[1])
			return kb
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func figures(t *testing.T, program string) (time.Duration, int) {
	s := newServerWith(t, true)
	s.body = pod()
	for i := range figureObjects {
		s.store("default", fmt.Sprintf("pod-%03d", i), 20)
	}
	t.Logf("an object has %d bytes", len(frame("ADDED", s.objects["default/pod-000"].json())))
	tr := startTrace(t, program, tlsKubeconfig(t, s), "--resource", resourceName, "--quiet")
	s.next()
	has := func(key string) {
		eventually(t, key, func() error {
			if _, ok := tr.askContents().Contents[key]; !ok {
				return fmt.Errorf("not there:\n%s", tr.errors.String())
			}
			return nil
		})
	}
	has("default/pod-000")
	before := tr.processor(t)
	for i := range figureUpdates {
		s.put(fmt.Sprintf("pod-%03d", i%figureObjects))
		s.mu.Lock()
		s.history = s.history[:0]
		s.mu.Unlock()
	}
	s.put(sentinel)
	has("default/" + sentinel)
	perEvent := (tr.processor(t) - before) / figureUpdates
	kilobytes := tr.resident(t)
	tr.stop()
	return perEvent, kilobytes
}

// TestFigures prints them; they depend on the machine, only ratios count.
func TestFigures(t *testing.T) {
	if os.Getenv("INFORMER_FIGURES") == "" {
		t.Skip("INFORMER_FIGURES=1 measures")
	}
	t.Setenv("DISABLE_HTTP2", "1")
	for _, name := range []string{"kubemote", "client-go"} {
		perEvent, kilobytes := figures(t, programs[name])
		t.Logf("%s: %v per event, %d kB resident with %d objects", name, perEvent, kilobytes, figureObjects)
	}
}
