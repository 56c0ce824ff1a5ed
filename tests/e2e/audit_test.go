// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// auditPolicy records what agents ask, with the bodies of their requests.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Request
    userGroups: ["system:nodes", "system:serviceaccounts:kubemote"]
  - level: None
`

// auditLog is the API server's own record of the requests it got.
type auditLog struct{ policy, file string }

func newAuditLog(dir string) (*auditLog, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	a := &auditLog{policy: filepath.Join(dir, "policy.yaml"), file: filepath.Join(dir, "audit.log")}
	return a, os.WriteFile(a.policy, []byte(auditPolicy), 0o644)
}

func (a *auditLog) flags() []string {
	return []string{"--audit-policy-file=" + a.policy, "--audit-log-path=" + a.file}
}

type auditEvent struct {
	Stage      string
	RequestURI string
	Verb       string
	UserAgent  string
	User       struct {
		Username string
		Extra    map[string][]string
	}
	ObjectRef                struct{ Resource, Subresource, Name, Namespace string }
	ResponseStatus           struct{ Code int }
	RequestObject            json.RawMessage
	RequestReceivedTimestamp time.Time
	StageTimestamp           time.Time
}

// is matches a request by verb and resource, "nodes/status" for subresources.
func (e *auditEvent) is(verb, resource string) bool {
	full := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		full += "/" + e.ObjectRef.Subresource
	}
	return e.Verb == verb && full == resource
}

func (e *auditEvent) path() string {
	path, _, _ := strings.Cut(e.RequestURI, "?")
	return path
}

func (e *auditEvent) query(t *testing.T) url.Values {
	t.Helper()
	u, err := url.ParseRequestURI(e.RequestURI)
	check(t, err)
	return u.Query()
}

// of returns a user's requests so far, in the order of their answers. A watch
// stands twice: when it was opened and when it ended.
func (a *auditLog) of(t *testing.T, user string) []auditEvent {
	t.Helper()
	f, err := os.Open(a.file)
	check(t, err)
	defer f.Close()
	var events []auditEvent
	mark := `"username":"` + user + `"`
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), mark) {
			continue
		}
		var e auditEvent
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // the last line may be half written
		}
		if e.User.Username == user {
			events = append(events, e)
		}
	}
	check(t, lines.Err())
	return events
}

func (a *auditLog) ofNode(t *testing.T, name string) []auditEvent {
	t.Helper()
	return a.of(t, "system:node:"+name)
}

func only(events []auditEvent, keep func(e *auditEvent) bool) []auditEvent {
	var kept []auditEvent
	for i := range events {
		if keep(&events[i]) {
			kept = append(kept, events[i])
		}
	}
	return kept
}
