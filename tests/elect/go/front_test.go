// SPDX-License-Identifier: Apache-2.0

package elect

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

// front is an API server in front of the real one. It shows one namespace as
// if it were the whole cluster, so that two controllers of one kind can run
// beside each other; it refuses requests when told to, and counts writes.
type front struct {
	ns     string
	server *httptest.Server
	behind *httputil.ReverseProxy

	mu       sync.Mutex
	refusals []*refusal
	writes   int
}

// refusal is an answer to the next requests that it fits.
type refusal struct {
	watch  bool // watches, else writes
	left   int
	status metav1.Status
	header map[string]string
	event  bool // of a watch: not as the answer but as its first event
}

func newFront(t *testing.T, p *plane.Plane, ns string) *front {
	t.Helper()
	target, err := url.Parse(p.URL())
	check(t, err)
	transport, err := rest.TransportFor(p.AdminConfig())
	check(t, err)
	f := &front{ns: ns}
	f.behind = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		FlushInterval:  -1,
		ModifyResponse: f.count,
		// A server that is gone breaks the connection; it has no words for that.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	f.server = httptest.NewUnstartedServer(f)
	f.server.EnableHTTP2 = true
	f.server.Config.ErrorLog = nil
	f.server.StartTLS()
	t.Cleanup(func() {
		f.server.CloseClientConnections()
		f.server.Close()
	})
	return f
}

// door is a broken network's way to the front.
func (f *front) door(t *testing.T, p *plane.Plane) (*proxy.Proxy, string) {
	t.Helper()
	door, err := proxy.New("127.0.0.1:0", f.server.Listener.Addr().String())
	check(t, err)
	t.Cleanup(door.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	path, err := p.AdminKubeconfig(plane.KubeconfigOptions{Server: "https://" + door.Addr(), CA: ca})
	check(t, err)
	return door, path
}

func (f *front) refuse(r refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals = append(f.refusals, &r)
}

// refusalsLeft is how many requests are still to be refused.
func (f *front) refusalsLeft() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := 0
	for _, r := range f.refusals {
		left += r.left
	}
	return left
}

func (f *front) count(response *http.Response) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if isWrite(response.Request) && response.StatusCode/100 == 2 {
		f.writes++
	}
	return nil
}

func (f *front) written() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

func isWatch(r *http.Request) bool {
	watch := r.URL.Query().Get("watch")
	return r.Method == http.MethodGet && (watch == "1" || watch == "true")
}

func isWrite(r *http.Request) bool { return r.Method != http.MethodGet }

func (f *front) refusalOf(r *http.Request) *refusal {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.refusals {
		if one.left > 0 && (one.watch && isWatch(r) || !one.watch && isWrite(r)) {
			one.left--
			return one
		}
	}
	return nil
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, plural := range []string{"/configmaps", "/greetings"} {
		if strings.HasSuffix(r.URL.Path, plural) && !strings.Contains(r.URL.Path, "/namespaces/") {
			r.URL.Path = strings.TrimSuffix(r.URL.Path, plural) + "/namespaces/" + f.ns + plural
		}
	}
	if refused := f.refusalOf(r); refused != nil {
		refused.answer(w, r)
		return
	}
	f.behind.ServeHTTP(w, r)
}

func (one *refusal) answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	status := one.status
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	status.Status = metav1.StatusFailure
	w.Header().Set("Content-Type", "application/json")
	for key, value := range one.header {
		w.Header().Set(key, value)
	}
	if one.event {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "ERROR", "object": status})
		return
	}
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
}
