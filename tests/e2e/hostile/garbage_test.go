// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kubemote.io/tests/cluster/plane"
)

type request struct{ *http.Request }

func (r *request) isWatch() bool { return r.URL.Query().Get("watch") == "true" }

// respond writes an answer, right or wrong.
type respond func(*request, io.Writer)

// answer answers each request of a connection until the agent goes.
func answer(how respond) func(*tls.Conn) {
	return func(c *tls.Conn) {
		for in := bufio.NewReader(c); ; {
			c.SetReadDeadline(time.Now().Add(20 * time.Second))
			got, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			io.Copy(io.Discard, got.Body)
			how(&request{got}, c)
		}
	}
}

// say answers with the same bytes always.
func say(text string) respond {
	return func(_ *request, w io.Writer) { io.WriteString(w, text) }
}

// body is a good answer around a text.
func body(text string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

// forever repeats bytes behind a beginning until the agent goes, up to a limit
// that it must never see.
func forever(begin, repeat string, limit int64, sent *atomic.Int64) respond {
	return func(_ *request, w io.Writer) {
		io.WriteString(w, begin)
		chunk := bytes.Repeat([]byte(repeat), max(1, 16000/len(repeat)))
		for total := int64(0); total < limit; total += int64(len(chunk)) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			sent.Add(int64(len(chunk)))
		}
	}
}

// kernelBuffers is what the two ends of a connection on one machine hold, for
// the sender is told that it is sent.
const kernelBuffers = 10 << 20

// garbage is one kind of nonsense.
type garbage struct {
	name  string
	serve respond
	// hostile: counted as an answer that no server would give; otherwise it
	// looks like a broken link and counts as a failed request.
	hostile bool
	// sent is what an endless answer got rid of, most what one connection may take.
	sent *atomic.Int64
	most int64
	// watchesOnly: everything but the watches is right.
	watchesOnly bool
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	io.WriteString(w, text)
	w.Close()
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
		out.Len(), out.Bytes())
}

func slowly(text string) respond {
	return func(_ *request, w io.Writer) {
		for _, b := range []byte(text) {
			if _, err := w.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
}

func watchLines(lines ...string) string {
	var out strings.Builder
	out.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	for _, line := range lines {
		fmt.Fprintf(&out, "%x\r\n%s\n\r\n", len(line)+1, line)
	}
	out.WriteString("0\r\n\r\n")
	return out.String()
}

func garbages() []garbage {
	const mb = 1 << 20
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	chunked := head + "Transfer-Encoding: chunked\r\n\r\n"
	version := `{"major":"1","minor":"36","gitVersion":"v1.36.3"}`
	endless := func(name, begin, repeat string, most int64) garbage {
		var sent atomic.Int64
		return garbage{name: name, serve: forever(begin, repeat, 200*mb, &sent), hostile: true, sent: &sent, most: most}
	}
	return []garbage{
		{name: "not HTTP", serve: say("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), hostile: true},
		{name: "HTTP 2", serve: say("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"), hostile: true},
		{name: "HTTP 3.7", serve: say("HTTP/3.7 200 OK\r\n\r\n"), hostile: true},
		{name: "not JSON", serve: say(body("<html><body>Welcome to the hotel</body></html>")), hostile: true},
		{name: "truncated JSON", serve: say(body(`{"kind":"Node","metadata":{"name":"a"`)), hostile: true},
		{name: "two JSON texts", serve: say(body(version + version)), hostile: true},
		{name: "a number for an object", serve: say(body("17")), hostile: true},
		{name: "deep JSON", serve: say(body(strings.Repeat("[", 100000) + strings.Repeat("]", 100000))), hostile: true},
		{name: "deep objects", serve: say(body(strings.Repeat(`{"a":`, 100000) + "1" + strings.Repeat("}", 100000))), hostile: true},
		endless("200 MB in one line", head+"Content-Length: 209715200\r\n\r\n"+`{"metadata":{"name":"`, "a", 9*mb),
		endless("200 MB of blanks", chunked, "1\r\n \r\n", 64*mb),
		endless("endless chunk extension", chunked+"1;", "a", mb),
		endless("endless size of a chunk", chunked, "0", mb),
		endless("endless trailer", chunked+"0\r\n", "a: b\r\n", mb),
		endless("10 MB header", head+"X: ", "a", mb),
		endless("10,000 headers", head, "X: y\r\n", mb),
		endless("endless 1xx", "", "HTTP/1.1 100 Continue\r\n\r\n", mb),
		endless("endless reason", "HTTP/1.1 200 ", "a", mb),
		{name: "two lengths", serve: say(head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}  "), hostile: true},
		{name: "length and chunks", serve: say(head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), hostile: true},
		{name: "length too long", serve: say(head + "Content-Length: 1000\r\n\r\n" + version)},
		{name: "huge length", serve: say(head + "Content-Length: 99999999999999999999999\r\n\r\n{}"), hostile: true},
		{name: "gzip", serve: say(zipped(version)), hostile: true},
		{name: "slow head", serve: slowly(head)},
		{name: "slow body", serve: slowly(head + "Content-Length: 1000\r\n\r\n" + version)},
		{name: "huge numbers", serve: say(body(`{"kind":1e999999999,"metadata":{"name":` + strings.Repeat("9", 5000) + `,"resourceVersion":-0.1e-99999}}`)), hostile: true},
		{name: "invalid UTF-8", serve: say(body("{\"kind\":\"No\xff\xfede\",\"metadata\":{\"name\":\"\xc0\x80\"}}")), hostile: true},
		{name: "watch events of wrong kinds", watchesOnly: true, hostile: true, serve: say(watchLines(
			`{"type":"DANCED","object":{"kind":"Node","apiVersion":"v1","metadata":{"name":"x","resourceVersion":"1"}}}`))},
		{name: "watch events of other types", watchesOnly: true, hostile: true, serve: say(watchLines(
			`{"type":7,"object":[]}`, `{"type":"ADDED","object":"text"}`))},
	}
}

// mixed answers watches with nonsense and lets the plane answer the rest.
func mixed(p *plane.Plane, client *http.Client, nonsense respond) func(*tls.Conn) {
	return func(c *tls.Conn) {
		in := bufio.NewReader(c)
		for {
			got, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if r := (&request{got}); r.isWatch() {
				nonsense(r, c)
				continue
			}
			got.URL.Scheme, got.URL.Host, got.RequestURI = "https", p.Addr(), ""
			answered, err := client.Do(got)
			if err != nil {
				return
			}
			answered.Write(c)
			answered.Body.Close()
		}
	}
}

// nodeClient asks the plane in the name of the test's node.
func nodeClient(t *testing.T, p *plane.Plane) *http.Client {
	t.Helper()
	certPEM, keyPEM, err := p.ClientPEM("system:node:"+nodeName(t), "system:nodes")
	check(t, err)
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	check(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.CAPEM())
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		Certificates: []tls.Certificate{cert}, RootCAs: roots}}}
}

// TestGarbage lets a node become Ready, then serves it nonsense for a while.
// The agent must count it, say it once, come back ever more slowly and grow by
// nothing; and when the server is sane again, the node is Ready again.
func TestGarbage(t *testing.T) {
	t.Parallel()
	p := thePlane(t)
	cert := planeCA(t, p).serving(t, x509.Certificate{}, "127.0.0.1")
	config := &tls.Config{Certificates: []tls.Certificate{cert.tls()}}
	for _, g := range garbages() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, sane(p))
			a := start(t, nodeKubeconfig(t, p, f.url()))
			waitReady(t, p, a.name)
			a.waitLine("Starting")
			time.Sleep(3 * time.Second)
			before := a.memory()
			complaints := a.complaints()
			connections := f.count()
			failures := a.metric("kubemote_request_failures_total")
			hostile := a.metric("kubemote_hostile_answers_total")

			began := time.Now()
			serve := answer(g.serve)
			if g.watchesOnly {
				serve = mixed(p, nodeClient(t, p), g.serve)
			}
			f.set(overTLS(config, serve))
			markUnknown(t, p, a.name)
			a.waitLine(cannotUse)
			time.Sleep(5 * time.Second)
			first := a.memory()
			time.Sleep(15 * time.Second)
			eventually(t, soon, "the count of failures", func() error {
				if a.metric("kubemote_request_failures_total") <= failures ||
					g.hostile && a.metric("kubemote_hostile_answers_total") <= hostile {
					return fmt.Errorf("failures %v, hostile %v", a.metric("kubemote_request_failures_total"), a.metric("kubemote_hostile_answers_total"))
				}
				return nil
			})
			a.mustRun()
			lasted := time.Since(began)
			came := f.count() - connections
			said := a.complaints() - complaints
			after := a.memory()
			t.Logf("%d connections and %d complaints in %.0f s; memory %v, %v, %v; %v", came, said, lasted.Seconds(), before, first, after, a.lines(cannotUse))
			if float64(came) > 30+lasted.Seconds()/2 {
				t.Errorf("%d connections in %s", came, lasted)
			}
			if n := len(a.lines(cannotUse)); n != 1 {
				t.Errorf("%d lines for one episode", n)
			}
			if said > 6 {
				t.Errorf("%d complaints", said)
			}
			// What an error touches first stays; after that nothing may grow.
			if after.size != before.size || after.anonymous > before.anonymous+128 || after.anonymous > first.anonymous+24 {
				t.Errorf("memory in kB: %+v, %+v, %+v", before, first, after)
			}
			if g.sent != nil && came > 0 {
				if each := g.sent.Load() / int64(came); each > g.most+kernelBuffers {
					t.Errorf("%d bytes taken from each connection", each)
				}
			}
			f.set(sane(p))
			comesBack(t, p, a)
		})
	}
}
