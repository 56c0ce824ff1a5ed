// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// wire stands between a peer and the server, changes nothing, and counts what
// can be seen from outside: connections, handshakes, bytes.
type wire struct {
	listener net.Listener
	target   string

	opened, open, resumed, retried atomic.Int64
	sent, received                 atomic.Int64 // by the peer

	mu    sync.Mutex
	conns []net.Conn

	trace trace
}

// wireCounts are sums since the peer's start, but for Open.
type wireCounts struct {
	Open     int64 `json:"connections_open"`
	Opened   int64 `json:"connections_opened"`
	Full     int64 `json:"handshakes_full"`
	Resumed  int64 `json:"handshakes_resumed"`
	Retried  int64 `json:"handshakes_retried"` // the server asked for another key share
	Sent     int64 `json:"sent_bytes"`
	Received int64 `json:"received_bytes"`
}

func newWire(target string) (*wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: listener, target: target}
	go w.accept()
	return w, nil
}

func (w *wire) addr() string { return w.listener.Addr().String() }

func (w *wire) counts() wireCounts {
	opened, resumed := w.opened.Load(), w.resumed.Load()
	return wireCounts{
		Open: w.open.Load(), Opened: opened, Full: opened - resumed, Resumed: resumed, Retried: w.retried.Load(),
		Sent: w.sent.Load(), Received: w.received.Load(),
	}
}

func (w *wire) close() {
	w.listener.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
}

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.target)
		if err != nil {
			client.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, client, server)
		w.mu.Unlock()
		w.opened.Add(1)
		w.open.Add(1)
		go func() {
			w.copyCounted(server, client, &w.sent, nil)
			w.open.Add(-1)
		}()
		go w.copyCounted(client, server, &w.received, &helloReader{wire: w})
	}
}

// copyCounted passes on what src says until it ends. sniff may look first at
// what the server says.
func (w *wire) copyCounted(dst, src net.Conn, count *atomic.Int64, sniff *helloReader) {
	defer dst.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := src.Read(buffer)
		if n > 0 {
			count.Add(int64(n))
			w.trace.add(sniff != nil, n)
			if sniff != nil {
				sniff.add(buffer[:n])
			}
			if _, err := dst.Write(buffer[:n]); err != nil {
				io.Copy(io.Discard, src)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// helloReader reads the server's first words, which are not encrypted: in TLS
// 1.3 a ServerHello with the extension pre_shared_key resumes a session.
type helloReader struct {
	wire *wire
	text []byte
	done bool
}

const (
	recordHandshake  = 22
	messageHello     = 2
	extensionPSK     = 41
	recordHeader     = 5
	helloBeforeID    = recordHeader + 4 + 2 + 32 // message header, version, random
	helloRetryPrefix = 0xcf21ad74
)

func (h *helloReader) add(text []byte) {
	if h.done {
		return
	}
	h.text = append(h.text, text...)
	for len(h.text) >= recordHeader {
		size := recordHeader + int(binary.BigEndian.Uint16(h.text[3:]))
		if len(h.text) < size {
			return
		}
		h.record(h.text[:size])
		h.text = h.text[size:]
		if h.done {
			h.text = nil
			return
		}
	}
}

func (h *helloReader) record(r []byte) {
	if r[0] != recordHandshake {
		return // a change of cipher that only middle boxes want, after a retry
	}
	if len(r) < helloBeforeID+1 || r[recordHeader] != messageHello {
		h.done = true
		return
	}
	if binary.BigEndian.Uint32(r[recordHeader+6:]) == helloRetryPrefix {
		h.wire.retried.Add(1)
		return
	}
	h.done = true
	if hasExtension(r[helloBeforeID:], extensionPSK) {
		h.wire.resumed.Add(1)
	}
}

// hasExtension looks through a ServerHello from its session id on.
func hasExtension(b []byte, wanted uint16) bool {
	skip := 1 + int(b[0]) + 2 + 1 + 2 // id, cipher, compression, length of the extensions
	for len(b) >= skip+4 {
		b = b[skip:]
		if binary.BigEndian.Uint16(b) == wanted {
			return true
		}
		skip = 4 + int(binary.BigEndian.Uint16(b[2:]))
	}
	return false
}
