// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"kubemote.io/tests/cluster/plane"
)

// front stands before the API server as a load balancer that speaks HTTP: it
// sees each request and can end watches in good order, which a proxy of bytes
// can't. The agent comes without credentials; the front has the node's.
type front struct {
	server *httptest.Server

	mu      sync.Mutex
	asked   []*url.URL    // watches, in their order
	ended   chan struct{} // closed: open watches end in good order
	stalled chan struct{} // closed: open watches fall silent
	stuck   string        // a method and the end of a path: such requests are never answered
}

func newFront(t *testing.T, p *plane.Plane, name string) *front {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", nodeKubeconfig(t, p, name, plane.KubeconfigOptions{}))
	check(t, err)
	transport, err := rest.TransportFor(config)
	check(t, err)
	target, err := url.Parse(p.URL())
	check(t, err)
	f := &front{ended: make(chan struct{}), stalled: make(chan struct{})}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
		ModifyResponse: f.wrap,
	}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.note(r.URL)
		if f.isStuck(r) {
			// The server hears of the client's end only behind the whole body.
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		f.server.CloseClientConnections()
		f.server.Close()
	})
	return f
}

func isWatch(u *url.URL) bool { return u.Query().Get("watch") == "true" }

func (f *front) note(u *url.URL) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if isWatch(u) {
		f.asked = append(f.asked, u)
	}
}

// stick leaves the requests of a method for a path that ends so unanswered, as
// a webhook that hangs does; "" frees the way.
func (f *front) stick(method, pathEnd string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stuck = method + " " + pathEnd
}

func (f *front) isStuck(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	method, end, _ := strings.Cut(f.stuck, " ")
	return end != "" && r.Method == method && strings.HasSuffix(r.URL.Path, end)
}

// wrap lets the end of a watch come from here.
func (f *front) wrap(answer *http.Response) error {
	if !isWatch(answer.Request.URL) || answer.StatusCode != http.StatusOK {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	answer.Body = newEndable(answer, f.ended, f.stalled)
	return nil
}

// endWatches ends the open watches in good order.
func (f *front) endWatches() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.ended)
	f.ended = make(chan struct{})
}

// stall lets the watches that are open now fall silent, whatever becomes of
// the server behind them; later ones pass.
func (f *front) stall() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.stalled)
	f.stalled = make(chan struct{})
}

// watches returns the watches asked for so far, of one resource.
func (f *front) watches(resource string) []url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []url.Values
	for _, u := range f.asked {
		if strings.HasSuffix(u.Path, "/"+resource) {
			found = append(found, u.Query())
		}
	}
	return found
}

func (f *front) kubeconfig(t *testing.T, p *plane.Plane, name string) string {
	t.Helper()
	return nodeKubeconfig(t, p, name, plane.KubeconfigOptions{Server: f.server.URL})
}

// waitPlainWatches waits until both resources are watched again by plain
// watches from a version on.
func (f *front) waitPlainWatches(t *testing.T, from map[string]int) {
	t.Helper()
	for _, resource := range []string{"nodes", "pods"} {
		eventually(t, soon, "a plain watch of "+resource, func() error {
			all := f.watches(resource)
			if len(all) > from[resource] {
				if last := all[len(all)-1]; last.Get("sendInitialEvents") == "" && last.Get("resourceVersion") != "" {
					return nil
				}
			}
			return fmt.Errorf("watches of %s: %v", resource, all)
		})
	}
}

func (f *front) counts() map[string]int {
	return map[string]int{"nodes": len(f.watches("nodes")), "pods": len(f.watches("pods"))}
}

// endable is a body that may end, or fall silent, before its server ends it.
type endable struct {
	io.ReadCloser
	ctx            context.Context
	pieces         chan []byte
	rest           []byte
	ended, stalled <-chan struct{}
	err            error // of the server; set when pieces is closed
}

func newEndable(answer *http.Response, ended, stalled <-chan struct{}) *endable {
	e := &endable{ReadCloser: answer.Body, ctx: answer.Request.Context(), pieces: make(chan []byte),
		ended: ended, stalled: stalled}
	go e.fill()
	return e
}

func (e *endable) fill() {
	defer close(e.pieces)
	for {
		piece := make([]byte, 16*1024)
		n, err := e.ReadCloser.Read(piece)
		select {
		case e.pieces <- piece[:n]:
		case <-e.ctx.Done():
			err = e.ctx.Err()
		}
		if err != nil {
			e.err = err
			return
		}
	}
}

// wait is for the end of a silent body.
func (e *endable) wait() error {
	select {
	case <-e.ended:
		return io.EOF
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

func (e *endable) Read(out []byte) (int, error) {
	for len(e.rest) == 0 {
		select {
		case <-e.ended:
			return 0, io.EOF
		case <-e.stalled:
			return 0, e.wait()
		case piece, more := <-e.pieces:
			if !more {
				return 0, e.err
			}
			e.rest = piece
		}
	}
	n := copy(out, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}
