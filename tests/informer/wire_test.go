// SPDX-License-Identifier: Apache-2.0

package informer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"net"
	"net/http"
	"sync"
	"time"
	"unicode/utf16"
)

// wire is how a server spells its JSON and cuts its bytes into pieces: as none
// does that we know, and as each may.
type wire struct {
	mu     sync.Mutex
	rng    *rand.Rand
	chunks int // 0: an event each; 1: a byte each, where that is bearable; 2: at random
	odd    bool
	break_ int // how a link is cut: in the data, in a chunk's header, in the last chunk, by a reset
}

func newWire(seed int64) *wire {
	rng := rand.New(rand.NewSource(seed))
	return &wire{rng: rng, chunks: rng.Intn(3), odd: rng.Intn(3) > 0, break_: rng.Intn(4)}
}

func (w *wire) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.Intn(n)
}

// ---- objects ----

var texts = []string{"plain", "\u00e9t\u00e9", "\u65e5\u672c", "\U0001f600\U0001f9ea", "a\"b\\c/d", "tab\tnew\nline", "\u0001\u001f\u007f", "</script>&\u2028", ""}

// dress gives an object what others have and nobody asked for.
func (w *wire) dress(o *widget) {
	o.labels["t.example/"+string(rune('a'+w.pick(3)))] = texts[w.pick(len(texts))]
	o.extra = map[string]any{"creationTimestamp": nil, "generation": w.pick(1 << 30)}
	if w.pick(2) == 0 {
		o.extra["annotations"] = map[string]any{texts[w.pick(len(texts))]: texts[w.pick(len(texts))], "metadata": "{\"name\":\"no\"}"}
	}
	if w.pick(2) == 0 {
		fields := map[string]any{"f:metadata": map[string]any{"f:name": map[string]any{}, "f:labels": map[string]any{".": map[string]any{}}}}
		o.extra["managedFields"] = []any{map[string]any{"manager": "m", "fieldsV1": fields, "resourceVersion": "1"}, nil}
	}
	if w.pick(2) == 0 {
		o.extra["ownerReferences"] = []any{map[string]any{"name": "owner", "uid": "u", "metadata": map[string]any{"name": "no"}}}
	}
	if w.pick(3) == 0 {
		o.extra["deletionTimestamp"], o.extra["finalizers"] = "2026-01-01T00:00:00Z", []any{"a/b", ""}
	}
	deep := any(map[string]any{"name": "no", "resourceVersion": "7", "type": "DELETED", "object": []any{}})
	for range w.pick(20) {
		deep = []any{deep, json.Number([]string{"0", "-0", "1e308", "-1.5E-7", "123456789012345678901234567890"}[w.pick(5)]), true, nil}
	}
	o.body = deep
}

// ---- JSON ----

// spell writes a JSON text anew: members in any order, blanks anywhere, strings
// with escapes that need none.
func (w *wire) spell(text []byte) []byte {
	if !w.odd {
		return text
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return text // broken on purpose
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var out bytes.Buffer
	w.put(&out, value)
	out.WriteString([]string{"\n", "", "\r\n", " \n\n"}[w.rng.Intn(4)])
	return out.Bytes()
}

func (w *wire) blank(out *bytes.Buffer) {
	if w.rng.Intn(12) == 0 {
		out.WriteString([]string{" ", "\t", "\n", "\r\n", "   "}[w.rng.Intn(5)])
	}
}

func (w *wire) put(out *bytes.Buffer, value any) {
	w.blank(out)
	defer w.blank(out)
	switch v := value.(type) {
	case map[string]any:
		w.putObject(out, v)
	case []any:
		out.WriteByte('[')
		for i, element := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			w.put(out, element)
		}
		w.blank(out)
		out.WriteByte(']')
	case string:
		w.putString(out, v)
	case json.Number:
		out.WriteString(string(v))
	default:
		text, _ := json.Marshal(v)
		out.Write(text)
	}
}

func (w *wire) putObject(out *bytes.Buffer, v map[string]any) {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	w.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	out.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			out.WriteByte(',')
		}
		w.blank(out)
		w.putString(out, name)
		w.blank(out)
		out.WriteByte(':')
		w.put(out, v[name])
	}
	w.blank(out)
	out.WriteByte('}')
}

func (w *wire) putString(out *bytes.Buffer, s string) {
	// One letter: the labels that are looked at, which no server escapes.
	if len(s) == 1 || len(s) > 1000 || w.rng.Intn(2) == 0 {
		text, _ := json.Marshal(s)
		out.Write(text)
		return
	}
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '/' && w.rng.Intn(2) == 0:
			out.WriteString(`\/`)
		case r == '"' || r == '\\' || r < 0x20 || w.rng.Intn(8) == 0:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(out, []string{"\\u%04x", "\\u%04X"}[w.rng.Intn(2)], unit)
			}
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
}

// ---- bytes ----

// pieces cuts what one chunk could hold into chunks.
func (w *wire) pieces(data []byte) [][]byte {
	var result [][]byte
	for len(data) > 0 {
		n := len(data)
		switch {
		case w.chunks == 1 && n < 6000:
			n = 1
		case w.chunks == 2:
			n = min(n, 1+w.pick(1+w.pick(4000)))
		}
		result, data = append(result, data[:n]), data[n:]
	}
	return result
}

func (w *wire) header(n int) string {
	if !w.odd {
		return fmt.Sprintf("%x\r\n", n)
	}
	return fmt.Sprintf([]string{"%x\r\n", "%X\r\n", "%05x\r\n", "%x;name=value\r\n", "%X;q=\"a;b\"\r\n"}[w.pick(5)], n)
}

func (w *wire) encode(data []byte) []byte {
	var out bytes.Buffer
	for _, piece := range w.pieces(data) {
		out.WriteString(w.header(len(piece)))
		out.Write(piece)
		out.WriteString("\r\n")
	}
	return out.Bytes()
}

// serveWire writes a stream by hand.
func (s *server) serveWire(rw http.ResponseWriter, this *stream) {
	link, _, err := rw.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer link.Close()
	gone := false
	go func() { // the client never sends a second request on it
		link.Read(make([]byte, 1))
		s.mu.Lock()
		defer s.mu.Unlock()
		gone = true
		s.changed.Broadcast()
	}()
	fmt.Fprint(link, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nTRANSFER-ENCODING: chunked\r\nConnection: close\r\n\r\n")
	for {
		s.mu.Lock()
		for len(this.chunks) == 0 && !gone {
			s.changed.Wait()
		}
		if gone {
			if s.open == this {
				s.open = nil
			}
			s.mu.Unlock()
			return
		}
		next := this.chunks[0]
		this.chunks = this.chunks[1:]
		s.mu.Unlock()
		s.wire.send(link, s.wire.encode(next.data))
		if next.then != goOn {
			s.wire.end(link, next.then)
			return
		}
	}
}

// send cuts the bytes into segments, now and then with time between them.
func (w *wire) send(link net.Conn, data []byte) {
	for len(data) > 0 {
		n := len(data)
		if w.pick(2) == 0 {
			n = 1 + w.pick(n)
		}
		if _, err := link.Write(data[:n]); err != nil {
			return
		}
		data = data[n:]
		if len(data) > 0 && w.pick(4) == 0 {
			time.Sleep(time.Duration(w.pick(3)) * time.Millisecond)
		}
	}
}

func (w *wire) end(link net.Conn, how ending) {
	if how == endWell {
		fmt.Fprint(link, "0\r\n\r\n")
		return
	}
	switch w.break_ {
	case 1:
		fmt.Fprint(link, "1")
	case 2:
		fmt.Fprint(link, "0\r\n")
	case 3:
		link.(*net.TCPConn).SetLinger(0)
	}
}
