// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"io"
	"net"
	"sync"
	"time"
)

// Small enough that a throttled link still moves in small steps.
const pieceSize = 16 * 1024

// How long an orderly end waits for the other side's end.
const lingerTime = 2 * time.Second

type conn struct {
	p      *Proxy
	client *net.TCPConn
	over   chan struct{} // closed by the first cut

	mu     sync.Mutex
	server *net.TCPConn
	done   bool

	halfOpen bool // guarded by the proxy's lock
}

// piece is data on its way; due is when it may be written. The last piece of
// a direction may carry the error that ended it.
type piece struct {
	data []byte
	due  time.Time
	err  error
}

func newConn(p *Proxy, client *net.TCPConn) *conn {
	return &conn{p: p, client: client, over: make(chan struct{})}
}

func (c *conn) run() {
	defer c.p.forget(c)
	if !c.dial() {
		return
	}
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); c.pump(c.client, c.server, false) }()
	go func() { defer wg.Done(); c.pump(c.server, c.client, true) }()
	wg.Wait()
	c.cut(FIN)
}

// dial reaches the server. A black hole is reached at once and holds the
// client's bytes, so nothing is dialled before it opens.
func (c *conn) dial() bool {
	f, ok := c.waitOpen()
	if !ok {
		return false
	}
	s, err := net.DialTimeout("tcp", f.target, 5*time.Second)
	if err != nil {
		c.p.count(func(s *Stats) { s.DialFailures++ })
		c.cut(RST)
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		s.Close()
		return false
	}
	c.server = s.(*net.TCPConn)
	return true
}

// waitOpen blocks while nothing may pass and returns the faults then in force,
// or false when the connection ended meanwhile.
func (c *conn) waitOpen() (faults, bool) {
	for {
		f, changed := c.p.snapshot()
		if !f.blackHole && !f.silent && !c.isHalfOpen() {
			return f, true
		}
		select {
		case <-changed:
		case <-c.over:
			return f, false
		}
	}
}

func (c *conn) isHalfOpen() bool {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.halfOpen
}

// pump moves one direction. Reading and writing are apart, so that a delay
// shifts the stream without making it narrower.
func (c *conn) pump(from, to *net.TCPConn, fromServer bool) {
	queue := make(chan piece, 64)
	go c.read(from, queue)
	var passed int64
	for pc := range queue {
		if c.pass(to, pc, fromServer, &passed) {
			continue
		}
		// A side that broke breaks the other; after a cut this does nothing.
		c.cut(RST)
		// The reader must not stay blocked on a full queue.
		for range queue {
		}
		return
	}
	to.CloseWrite()
}

func (c *conn) read(from *net.TCPConn, queue chan<- piece) {
	defer close(queue)
	for {
		buf := make([]byte, pieceSize)
		n, err := from.Read(buf)
		if err == io.EOF {
			return
		}
		f, _ := c.p.snapshot()
		queue <- piece{data: buf[:n], due: time.Now().Add(f.delay), err: err}
		if err != nil {
			return
		}
	}
}

// pass writes one piece with the faults of the moment; false ends the pump.
func (c *conn) pass(to *net.TCPConn, pc piece, fromServer bool, passed *int64) bool {
	if !c.sleep(time.Until(pc.due)) {
		return false
	}
	f, ok := c.waitOpen()
	if !ok {
		return false
	}
	c.corrupt(f, pc.data, fromServer, *passed)
	data, cutNow := limit(f, pc.data, fromServer, *passed)
	if !c.write(to, data, f.rate) {
		return false
	}
	*passed += int64(len(data))
	c.p.count(func(s *Stats) { s.add(fromServer, len(data)) })
	if cutNow {
		c.p.count(func(s *Stats) { s.CutByCount++ })
		c.cut(f.cutHow)
		return false
	}
	return pc.err == nil
}

// limit returns what may still pass, and whether the cut is due after it.
func limit(f faults, data []byte, fromServer bool, passed int64) ([]byte, bool) {
	if !fromServer || f.cutAfter < 0 {
		return data, false
	}
	left := max(f.cutAfter-passed, 0)
	if int64(len(data)) < left {
		return data, false
	}
	return data[:left], true
}

func (c *conn) corrupt(f faults, data []byte, fromServer bool, passed int64) {
	bad := f.corruptClient
	if fromServer {
		bad = f.corruptServer
	}
	at := bad.at - passed
	if !bad.on || at < 0 || at >= int64(len(data)) {
		return
	}
	data[at] ^= bad.mask
	c.p.count(func(s *Stats) { s.Corrupted++ })
}

// write sends the data, in steps of a tenth of a second when there is a limit.
func (c *conn) write(to *net.TCPConn, data []byte, rate int) bool {
	step := len(data)
	if rate > 0 {
		step = max(rate/10, 1)
	}
	for len(data) > 0 {
		n := min(step, len(data))
		if _, err := to.Write(data[:n]); err != nil {
			return false
		}
		data = data[n:]
		if rate > 0 && !c.sleep(time.Duration(n)*time.Second/time.Duration(rate)) {
			return false
		}
	}
	return true
}

// sleep returns false when the connection was cut meanwhile.
func (c *conn) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.over:
		return false
	}
}

// cut ends both sides; only the first call counts.
func (c *conn) cut(how Cut) {
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return
	}
	c.done = true
	server := c.server
	close(c.over)
	c.mu.Unlock()

	if server != nil {
		abort(server)
	}
	if how == RST {
		abort(c.client)
		return
	}
	finish(c.client)
}

// abort sends RST.
func abort(t *net.TCPConn) {
	t.SetLinger(0)
	t.Close()
}

// finish sends FIN and stays until the client has ended as well: closing a
// socket with unread bytes would send RST instead.
func finish(t *net.TCPConn) {
	t.CloseWrite()
	t.SetDeadline(time.Now().Add(lingerTime))
	go func() {
		defer t.Close()
		buf := make([]byte, pieceSize)
		for {
			if _, err := t.Read(buf); err != nil {
				return
			}
		}
	}()
}

func (s *Stats) add(fromServer bool, n int) {
	if fromServer {
		s.ToClient += int64(n)
		return
	}
	s.ToServer += int64(n)
}
