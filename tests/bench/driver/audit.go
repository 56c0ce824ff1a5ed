// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// auditPolicy records what nodes ask, and what they write with its body.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Request
    userGroups: ["system:nodes"]
    verbs: ["create", "update", "patch"]
    resources: [{group: "", resources: ["nodes", "nodes/status"]}]
  - level: Metadata
    userGroups: ["system:nodes"]
  - level: None
`

// auditLog is the server's own record with its own times, written before each
// answer: the same clock for all peers, and no work of theirs.
type auditLog struct{ policy, file string }

func newAuditLog(dir string) (*auditLog, error) {
	a := &auditLog{policy: filepath.Join(dir, "policy.yaml"), file: filepath.Join(dir, "audit.log")}
	if err := os.RemoveAll(a.file); err != nil {
		return nil, err
	}
	return a, os.WriteFile(a.policy, []byte(auditPolicy), 0o644)
}

func (a *auditLog) flags() []string {
	return []string{"--audit-policy-file=" + a.policy, "--audit-log-path=" + a.file, "--audit-log-maxsize=1000"}
}

type auditEvent struct {
	Stage          string
	Verb           string
	User           struct{ Username string }
	ObjectRef      struct{ Resource, Subresource string }
	ResponseStatus struct{ Code int }
	RequestObject  struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	RequestReceivedTimestamp time.Time
	StageTimestamp           time.Time
}

// isReady is whether the server took a Node's status that says Ready.
func (e *auditEvent) isReady() bool {
	if e.ObjectRef.Resource != "nodes" || e.Stage != "ResponseComplete" || e.ResponseStatus.Code/100 != 2 {
		return false
	}
	for _, c := range e.RequestObject.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return true
		}
	}
	return false
}

// tail reads what was written since it was made.
type tail struct {
	file   string
	offset int64
	user   string
}

func (a *auditLog) tailOf(node string) *tail {
	t := &tail{file: a.file, user: "system:node:" + node}
	if info, err := os.Stat(a.file); err == nil {
		t.offset = info.Size()
	}
	return t
}

// next returns the user's requests since the last call.
func (t *tail) next() ([]auditEvent, error) {
	file, err := os.Open(t.file)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, info.Size()-t.offset)
	if _, err := file.ReadAt(text, t.offset); err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(text, '\n') + 1 // the last line may be half written
	t.offset += int64(end)
	var events []auditEvent
	for line := range bytes.Lines(text[:end]) {
		var e auditEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		if e.User.Username == t.user {
			events = append(events, e)
		}
	}
	return events, nil
}

// await collects the user's requests until one of them is what is wanted. It
// fails when the program ends before.
func (t *tail) await(ctx context.Context, p *process, wanted func(*auditEvent) bool) ([]auditEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var all []auditEvent
	for {
		events, err := t.next()
		if err != nil {
			return nil, err
		}
		for i := range events {
			if events[i].RequestReceivedTimestamp.Before(p.began) {
				continue // the end of a watch of the process before
			}
			all = append(all, events[i])
			if wanted(&events[i]) {
				return all, nil
			}
		}
		if err := p.dead(); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s did not ask what it should: %w", p.cmd.Path, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
