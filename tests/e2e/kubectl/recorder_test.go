// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// answer is one recorded response.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// recorder stands between a program and the plane. It asks the plane once for
// each request and answers every repetition from memory.
type recorder struct {
	*httptest.Server
	upstream  http.RoundTripper
	base      *url.URL
	scripted  func(r *http.Request) *answer // nil or an answer that the plane is not asked for
	mu        sync.Mutex
	recorded  map[string]*answer
	recording bool     // the first program runs
	extra     []string // what only the second one asked
}

func newRecorder(t *testing.T, scripted func(r *http.Request) *answer) *recorder {
	t.Helper()
	config := cluster.AdminConfig()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{upstream: transport, base: base, scripted: scripted, recorded: map[string]*answer{}, recording: true}
	rec.Server = httptest.NewServer(rec)
	t.Cleanup(rec.Close)
	return rec
}

// key tells requests apart by what changes their answer.
func key(r *http.Request, body []byte) string {
	form := "plain"
	accept := r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "as=Table"):
		form = "table"
	case strings.Contains(accept, "APIGroupDiscoveryList"):
		form = "discovery"
	case strings.Contains(accept, "PartialObjectMetadata"):
		form = "metadata"
	}
	return fmt.Sprintf("%s %s?%s %s %s", r.Method, r.URL.EscapedPath(), r.URL.Query().Encode(), form, body)
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	k := key(r, body)
	found := rec.recorded[k]
	if found == nil {
		if found, err = rec.ask(r, body); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		rec.recorded[k] = found
		if !rec.recording {
			rec.extra = append(rec.extra, k)
		}
	}
	for name, values := range found.header {
		w.Header()[name] = values
	}
	w.WriteHeader(found.code)
	w.Write(found.body)
}

// A recorded watch ends by itself.
const watchSeconds = "2"

func (rec *recorder) ask(r *http.Request, body []byte) (*answer, error) {
	if rec.scripted != nil {
		if a := rec.scripted(r); a != nil {
			return a, nil
		}
	}
	target := *r.URL
	target.Scheme, target.Host = rec.base.Scheme, rec.base.Host
	if query := target.Query(); query.Get("watch") == "true" {
		query.Set("timeoutSeconds", watchSeconds)
		target.RawQuery = query.Encode()
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Accept", "Content-Type"} {
		req.Header.Set(name, r.Header.Get(name))
	}
	response, err := rec.upstream.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	kept := http.Header{}
	for _, name := range []string{"Content-Type", "Warning"} {
		if values := response.Header.Values(name); len(values) > 0 {
			kept[name] = values
		}
	}
	return &answer{code: response.StatusCode, header: kept, body: data}, nil
}
