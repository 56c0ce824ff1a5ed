// SPDX-License-Identifier: Apache-2.0

package informer

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kubemote.io/tests/cluster/proxy"
)

const waitLimit = 90 * time.Second

// resourceName is what the scripted server serves.
const resourceName = "example.io/v1/widgets"

type widget struct {
	namespace, name string
	labels          map[string]string
	extra           map[string]any // further members of its metadata
	rv, born        int
	padding         int
	body            any
}

func (w widget) key() string { return w.namespace + "/" + w.name }

// whole is an object but for what makes it one of many.
type whole map[string]any

func (o whole) with(w widget) map[string]any {
	metadata := maps.Clone(o["metadata"].(map[string]any))
	metadata["namespace"], metadata["name"] = w.namespace, w.name
	metadata["uid"], metadata["resourceVersion"] = fmt.Sprintf("uid-%s-%d", w.name, w.born), strconv.Itoa(w.rv)
	object := maps.Clone(o)
	object["metadata"] = metadata
	return object
}

func (w widget) json() map[string]any {
	if o, ok := w.body.(whole); ok {
		return o.with(w)
	}
	metadata := map[string]any{"namespace": w.namespace, "name": w.name, "uid": fmt.Sprintf("uid-%s-%d", w.name, w.born),
		"resourceVersion": strconv.Itoa(w.rv), "labels": w.labels}
	maps.Copy(metadata, w.extra)
	return map[string]any{
		"status": w.body, "apiVersion": "example.io/v1", "kind": "Widget",
		"metadata": metadata,
		"spec":     map[string]any{"padding": strings.Repeat("x", w.padding), "items": []any{1, "two", nil, map[string]any{"a": "{}"}}},
	}
}

func frame(kind string, object any) []byte {
	text, err := json.Marshal(map[string]any{"type": kind, "object": object})
	if err != nil {
		panic(err)
	}
	return append(text, '\n')
}

func bookmark(rv int, end bool) []byte {
	metadata := map[string]any{"resourceVersion": strconv.Itoa(rv), "creationTimestamp": nil}
	if end {
		metadata["annotations"] = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	return frame("BOOKMARK", map[string]any{"apiVersion": "example.io/v1", "kind": "Widget", "metadata": metadata})
}

func status(code int, reason metav1.StatusReason, causes ...metav1.StatusCause) *metav1.Status {
	s := &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code),
		Reason: reason, Message: "scripted: " + string(reason)}
	if len(causes) > 0 {
		s.Details = &metav1.StatusDetails{Causes: causes}
	}
	return s
}

func tooManyRequests() *metav1.Status {
	s := status(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests)
	s.Details = &metav1.StatusDetails{RetryAfterSeconds: 1}
	return s
}

type event struct {
	rv   int
	data []byte
}

type answer struct {
	status *metav1.Status
	only   string // "list", "watch" or "" for both
}

// ending says how a stream ends behind what was sent.
type ending int

const (
	goOn ending = iota
	endWell
	cutOff
)

type chunk struct {
	data []byte
	then ending
}

type stream struct {
	chunks []chunk
	gone   bool
}

// server is an API server of one resource that does what a script tells it.
// Changes go to the one open watch; a script waits for it first.
type server struct {
	t *testing.T

	mu        sync.Mutex
	changed   *sync.Cond
	objects   map[string]widget
	history   []event
	rv        int
	before    widget // the one that is changed, as it was
	forgotten int    // events up to here can't be had
	open      *stream
	opened    int // watches that can take events, since the start
	answers   []answer
	requests  []string

	noStreams      bool // of lists: 422
	expiredAsEvent bool
	pageSize       int
	expirePages    int // that many later pages are answered with 410
	beforeBookmark [][]byte
	cutList        int // cut so many streaming lists before their bookmark

	body any    // of every object
	path string // of the collection

	ours    bool // kubemote's
	barrier bool // what is changed now is selected

	only func(w widget) bool // what the requests select; nil = everything
	wire *wire               // nil = as net/http writes it

	newLinks bool // a connection carries one answer

	client *trace
	link   *proxy.Proxy // before the server; nil where nobody has to notice a fault of it
	clock  string       // the file that makes the client's clock wrong; "" = it stays right

	address string
	secure  bool
	http    *httptest.Server
}

func newServer(t *testing.T) *server { return newServerWith(t, false) }

func newServerWith(t *testing.T, secure bool) *server {
	s := &server{t: t, secure: secure, objects: map[string]widget{}, rv: 100, pageSize: 500, path: "/apis/example.io/v1/widgets"}
	s.changed = sync.NewCond(&s.mu)
	s.listen("127.0.0.1:0")
	t.Cleanup(s.close)
	return s
}

func (s *server) listen(address string) {
	listener, err := net.Listen("tcp", address)
	for i := 0; err != nil && i < 100; i++ {
		time.Sleep(50 * time.Millisecond)
		listener, err = net.Listen("tcp", address)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.http = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}}
	if s.secure {
		s.http.TLS = &tls.Config{Certificates: []tls.Certificate{serverCertificate(s.t)}}
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
}

func (s *server) close() {
	s.mu.Lock()
	s.leave(cutOff)
	s.mu.Unlock()
	s.http.CloseClientConnections()
	s.http.Close()
}

// restart loses all connections, and for a while there is no server.
func (s *server) restart(pause time.Duration) {
	s.close()
	time.Sleep(pause)
	s.listen(s.address)
	s.next()
}

// ---- changes ----

func (s *server) store(namespace, name string, padding int) (widget, string) {
	key, kind := namespace+"/"+name, "MODIFIED"
	s.rv++
	w, ok := s.objects[key]
	s.before = w
	if !ok {
		kind = "ADDED"
		w = widget{namespace: namespace, name: name, born: s.rv}
	}
	w.rv, w.padding, w.body = s.rv, padding, s.body
	// More labels than anybody keeps, before the one that the index is of.
	w.labels = map[string]string{"app": name[:1], "z/turn": strconv.Itoa(s.rv % 3)}
	for i := range 8 {
		w.labels[fmt.Sprintf("many-%d", i)] = strings.Repeat("x", 63)
	}
	if s.wire != nil {
		s.wire.dress(&w)
		w.labels["pick"] = "no"
		if s.barrier || (s.rv*7+len(name))%3 > 0 {
			w.labels["pick"] = "yes"
		}
	}
	s.objects[key] = w
	return w, kind
}

// seen is the event as a watch with a selector has it: by changes of labels
// objects come and go. nil = nothing.
func (s *server) seen(kind string, w widget) []byte {
	if s.only == nil {
		return s.spell(frame(kind, w.json()))
	}
	before, now := kind != "ADDED" && s.only(s.before), kind != "DELETED" && s.only(w)
	switch {
	case before && now:
		return s.spell(frame("MODIFIED", w.json()))
	case now:
		return s.spell(frame("ADDED", w.json()))
	case before:
		last := s.before
		last.rv = w.rv
		return s.spell(frame("DELETED", last.json()))
	}
	return nil
}

func (s *server) spell(text []byte) []byte {
	if s.wire == nil {
		return text
	}
	return s.wire.spell(text)
}

func (s *server) record(kind string, w widget) []byte {
	data := s.seen(kind, w)
	if data == nil {
		return nil
	}
	s.history = append(s.history, event{w.rv, data})
	return data
}

func (s *server) put(name string) { s.putSized(name, 20) }

func (s *server) putSized(name string, padding int) { s.putIn("default", name, padding) }

func (s *server) putIn(namespace, name string, padding int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(s.record(flip(s.store(namespace, name, padding))))
}

func flip(w widget, kind string) (string, widget) { return kind, w }

func (s *server) del(name string) { s.delIn("default", name) }

func (s *server) delIn(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.objects[namespace+"/"+name]
	if !ok {
		s.t.Fatalf("script deletes %q, which is not there", name)
	}
	delete(s.objects, w.key())
	s.before = w
	s.rv++
	w.rv = s.rv
	s.emit(s.record("DELETED", w))
}

// putInside sends the first bytes of an event and cuts the link; the client
// gets the event when it is back.
func (s *server) putInside(name string, share float64) {
	s.mu.Lock()
	w, kind := s.store("default", name, 20)
	s.objects[w.key()] = w
	data := frame(kind, w.json())
	s.emit(data[:int(float64(len(data))*share)])
	s.leave(cutOff)
	// Until the client is back this has not happened.
	before := s.objects
	s.objects = map[string]widget{}
	for key, o := range before {
		if key != w.key() {
			s.objects[key] = o
		}
	}
	s.rv--
	if kind == "MODIFIED" {
		s.t.Error("putInside is for new objects")
	}
	opened := s.opened
	s.mu.Unlock()
	s.waitOpened(opened)
	s.put(name)
}

// inside sends half of an event that never comes, ends the stream, and waits for
// the next one.
func (s *server) inside(kind, name string, how ending) {
	s.mu.Lock()
	var data []byte
	switch kind {
	case "BOOKMARK":
		data = bookmark(s.rv, false)
	case "ERROR":
		data = frame(kind, status(410, metav1.StatusReasonExpired))
	default:
		data = frame(kind, widget{namespace: "default", name: name, rv: s.rv + 1}.json())
	}
	opened := s.opened
	s.emit(data[:len(data)/2])
	s.leave(how)
	s.mu.Unlock()
	s.waitOpened(opened)
}

// storm cuts the link and answers so many requests with the same refusal.
func (s *server) storm(refusal *metav1.Status, times int) {
	s.mu.Lock()
	for range times {
		s.answers = append(s.answers, answer{status: refusal})
	}
	s.mu.Unlock()
	s.end(cutOff)
}

// standStill stops the program for a time, as the sleep of a machine does: its
// clock leaps.
func (s *server) standStill(pause time.Duration, change func()) {
	process := s.client.command.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	change()
	time.Sleep(pause)
	if err := process.Signal(syscall.SIGCONT); err != nil {
		s.t.Fatal(err)
	}
}

// lose makes changes behind a link that no byte passes any more and that
// nobody closed. The client has to find out. client-go never does over HTTP/1.1
// (its pings are HTTP/2's), so its link stays whole, or is cut in plain sight
// where there is something to miss.
func (s *server) lose(change func()) {
	s.mu.Lock()
	last := strconv.Itoa(s.history[len(s.history)-1].rv)
	s.mu.Unlock()
	s.client.hears(last)
	switch {
	case s.link != nil:
		s.mu.Lock()
		opened := s.opened
		s.mu.Unlock()
		s.link.HalfOpen()
		if change != nil {
			change()
		}
		s.waitOpened(opened)
	case change != nil:
		s.unseen(cutOff, func() { change(); s.compact() })
	}
}

// leap makes the client's wall clock wrong by that much.
func (s *server) leap(by time.Duration) {
	if s.clock == "" {
		return
	}
	next := s.clock + ".next"
	err := os.WriteFile(next, fmt.Appendf(nil, "%d\n", int64(by/time.Second)), 0o600)
	if err == nil {
		err = os.Rename(next, s.clock)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// refuses waits until the client, whose clock is wrong, says that it finds the
// server's certificate not valid at this time.
func (s *server) refuses() {
	if s.clock != "" {
		s.client.says("this machine's clock says")
	}
}

// emit sends to the open watch.
func (s *server) emit(data []byte) {
	if s.open != nil && len(data) > 0 {
		s.open.chunks = append(s.open.chunks, chunk{data: data})
		s.changed.Broadcast()
	}
}

func (s *server) leave(how ending) {
	if s.open != nil {
		s.open.chunks = append(s.open.chunks, chunk{then: how})
		s.open = nil
		s.changed.Broadcast()
	}
}

// raw sends bytes that are no part of the history.
func (s *server) raw(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(data)
}

// repeat sends an event that the client had already.
func (s *server) repeat(back int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := len(s.history) - 1 - back; at >= 0 {
		s.emit(s.history[at].data)
	}
}

// end ends the watch and waits for the next one.
func (s *server) end(how ending) {
	s.mu.Lock()
	opened := s.opened
	s.leave(how)
	s.mu.Unlock()
	s.waitOpened(opened)
}

// fault sends what makes the client leave the stream, and waits for the next.
func (s *server) fault(data []byte) {
	s.mu.Lock()
	opened := s.opened
	s.emit(data)
	s.open = nil
	s.mu.Unlock()
	s.waitOpened(opened)
}

// unseen makes changes while no watch is open.
func (s *server) unseen(how ending, change func()) {
	s.mu.Lock()
	opened := s.opened
	held := s.noRequests()
	s.leave(how)
	s.mu.Unlock()
	change()
	held()
	s.waitOpened(opened)
}

// noRequests lets requests wait until the returned function is called.
func (s *server) noRequests() func() {
	gate := make(chan struct{})
	gates.Store(s, gate)
	return func() {
		gates.Delete(s)
		close(gate)
	}
}

var gates sync.Map

func (s *server) compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = s.rv
}

func (s *server) next() {
	s.mu.Lock()
	open := s.open != nil
	opened := s.opened
	s.mu.Unlock()
	if !open {
		s.waitOpened(opened)
	}
}

func (s *server) waitOpened(than int) {
	deadline := time.Now().Add(waitLimit)
	for {
		s.mu.Lock()
		ready := s.opened > than && s.open != nil
		s.mu.Unlock()
		if ready {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no watch within %v; requests:\n%s", waitLimit, strings.Join(s.requests, "\n"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *server) contents() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	result := map[string]string{}
	for key, w := range s.objects {
		if s.only == nil || s.only(w) {
			result[key] = strconv.Itoa(w.rv)
		}
	}
	return result
}

// ---- requests ----

func refuse(w http.ResponseWriter, st *metav1.Status) {
	w.Header().Set("Content-Type", "application/json")
	if st.Details != nil && st.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(st.Details.RetryAfterSeconds)))
	}
	w.WriteHeader(int(st.Code))
	json.NewEncoder(w).Encode(st)
}

func (s *server) scriptedAnswer(kind string) *metav1.Status {
	if len(s.answers) == 0 || (s.answers[0].only != "" && s.answers[0].only != kind) {
		return nil
	}
	first := s.answers[0]
	s.answers = s.answers[1:]
	return first.status
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if gate, ok := gates.Load(s); ok {
		<-gate.(chan struct{})
	}
	s.mu.Lock()
	s.requests = append(s.requests, r.URL.String())
	kind := "list"
	if r.URL.Query().Get("watch") != "" {
		kind = "watch"
	}
	st := s.scriptedAnswer(kind)
	if r.URL.Path != s.path {
		st = status(404, metav1.StatusReasonNotFound)
	}
	if as := "as=PartialObjectMetadata"; strings.Contains(r.Header.Get("Accept"), as) &&
		strings.Contains(r.Header.Get("Accept"), as+"List;") != (kind == "list") {
		st = status(406, metav1.StatusReasonNotAcceptable)
	}
	if st != nil {
		s.mu.Unlock()
		refuse(w, st)
		return
	}
	if kind == "list" {
		s.list(w, r)
		return
	}
	s.watch(w, r)
}

func (s *server) sorted() []widget {
	var result []widget
	for _, w := range s.objects {
		if s.only == nil || s.only(w) {
			result = append(result, w)
		}
	}
	sort.Slice(result, func(i, j int) bool { return result[i].key() < result[j].key() })
	return result
}

// list is called with the lock held and gives it back.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	from, rv := 0, s.rv
	if token := query.Get("continue"); token != "" {
		if s.expirePages > 0 {
			s.expirePages--
			s.mu.Unlock()
			refuse(w, status(410, metav1.StatusReasonExpired))
			return
		}
		fmt.Sscanf(token, "%d-%d", &rv, &from)
	}
	all := s.sorted()
	s.mu.Unlock()
	metadata := map[string]any{"resourceVersion": strconv.Itoa(rv)}
	to := len(all)
	if limit, _ := strconv.Atoi(query.Get("limit")); limit > 0 {
		to = min(to, from+min(limit, s.pageSize))
	}
	if to < len(all) {
		metadata["continue"] = fmt.Sprintf("%d-%d", rv, to)
	}
	items := []any{}
	for _, o := range all[from:to] {
		items = append(items, o.json())
	}
	w.Header().Set("Content-Type", "application/json")
	text, err := json.Marshal(map[string]any{"apiVersion": "example.io/v1", "kind": "WidgetList", "metadata": metadata, "items": items})
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	text = s.spell(text)
	s.mu.Unlock()
	w.Write(text)
}

// watch is called with the lock held and gives it back.
func (s *server) watch(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	since, _ := strconv.Atoi(query.Get("resourceVersion"))
	streams := query.Get("sendInitialEvents") == "true"
	this := &stream{}
	var refusal *metav1.Status
	switch {
	case streams && s.noStreams:
		refusal = status(422, metav1.StatusReasonInvalid)
	case streams && since > s.rv:
		refusal = status(504, metav1.StatusReasonTimeout, metav1.StatusCause{Type: metav1.CauseTypeResourceVersionTooLarge})
	case streams:
		s.initialEvents(this)
	case since < s.forgotten && s.expiredAsEvent:
		this.chunks = append(this.chunks, chunk{data: frame("ERROR", status(410, metav1.StatusReasonExpired))}, chunk{then: endWell})
		this.gone = true
	case since < s.forgotten:
		refusal = status(410, metav1.StatusReasonExpired)
	default:
		for _, e := range s.history {
			if e.rv > since {
				this.chunks = append(this.chunks, chunk{data: e.data})
			}
		}
	}
	if refusal != nil {
		s.mu.Unlock()
		refuse(w, refusal)
		return
	}
	if !this.gone {
		s.open = this
		s.opened++
	}
	s.mu.Unlock()
	s.serve(w, r, this)
}

func (s *server) initialEvents(this *stream) {
	for _, o := range s.sorted() {
		this.chunks = append(this.chunks, chunk{data: s.spell(frame("ADDED", o.json()))})
	}
	if s.cutList > 0 {
		s.cutList--
		this.chunks = append(this.chunks, chunk{then: cutOff})
		this.gone = true
		return
	}
	for _, data := range s.beforeBookmark {
		this.chunks = append(this.chunks, chunk{data: data})
	}
	s.beforeBookmark = nil
	end := bookmark(s.rv, true)
	if o, ok := s.body.(whole); ok {
		end = bytes.ReplaceAll(end, []byte(`"apiVersion":"example.io/v1","kind":"Widget"`),
			fmt.Appendf(nil, `"apiVersion":%q,"kind":%q`, o["apiVersion"], o["kind"]))
	}
	this.chunks = append(this.chunks, chunk{data: end})
}

func (s *server) serve(w http.ResponseWriter, r *http.Request, this *stream) {
	if s.wire != nil {
		s.serveWire(w, this)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if s.newLinks {
		w.Header().Set("Connection", "close")
	}
	w.WriteHeader(200)
	w.(http.Flusher).Flush()
	stop := context(r, s)
	defer stop()
	for {
		s.mu.Lock()
		for len(this.chunks) == 0 && r.Context().Err() == nil {
			s.changed.Wait()
		}
		if r.Context().Err() != nil {
			if s.open == this {
				s.open = nil
			}
			s.mu.Unlock()
			return
		}
		next := this.chunks[0]
		this.chunks = this.chunks[1:]
		s.mu.Unlock()
		w.Write(next.data)
		w.(http.Flusher).Flush()
		switch next.then {
		case endWell:
			return
		case cutOff:
			panic(http.ErrAbortHandler)
		}
	}
}

// context wakes the stream when the client has gone.
func context(r *http.Request, s *server) func() {
	done := make(chan struct{})
	go func() {
		select {
		case <-r.Context().Done():
			s.mu.Lock()
			s.changed.Broadcast()
			s.mu.Unlock()
		case <-done:
		}
	}()
	return func() { close(done) }
}

func (s *server) openedSoFar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}
