// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

const soon = 3 * time.Second

// echoServer sends back what it gets, and the number of its connections.
type echoServer struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func newEcho(t *testing.T) *echoServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echoServer{Listener: l}
	t.Cleanup(e.shut)
	go e.serve()
	return e
}

func (e *echoServer) serve() {
	for {
		c, err := e.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.conns = append(e.conns, c)
		e.mu.Unlock()
		go func() {
			io.Copy(c, c)
			c.Close()
		}()
	}
}

func (e *echoServer) shut() {
	e.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.conns {
		c.Close()
	}
}

func newProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := New("127.0.0.1:0", target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func dial(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", p.Addr(), soon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// ask sends text and returns what came back, with the error that ended it.
func ask(c net.Conn, text string) (string, error) {
	c.SetDeadline(time.Now().Add(soon))
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	buf := make([]byte, len(text))
	n, err := io.ReadFull(c, buf)
	return string(buf[:n]), err
}

func mustEcho(t *testing.T, c net.Conn, text string) {
	t.Helper()
	got, err := ask(c, text)
	if err != nil || got != text {
		t.Fatalf("echo of %q: %q, %v", text, got, err)
	}
}

// ending reads to the end and returns the error, nil for FIN.
func ending(c net.Conn) error {
	c.SetDeadline(time.Now().Add(soon))
	_, err := io.Copy(io.Discard, c)
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestForwardsAndCounts(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	mustEcho(t, c, "hello")
	mustEcho(t, c, "world!")
	want := Stats{Accepted: 1, Open: 1, ToServer: 11, ToClient: 11}
	if got := p.Stats(); got != want {
		t.Fatalf("stats %+v, want %+v", got, want)
	}
}

func TestPassesHalfClose(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 64*1024)
	go func() {
		c.Write(sent)
		c.CloseWrite()
	}()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes, %v", len(got), len(sent), err)
	}
}

func TestCutAllWithFIN(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	mustEcho(t, c, "x")
	if n := p.CutAll(FIN); n != 1 {
		t.Fatalf("cut %d connections, want 1", n)
	}
	if err := ending(c); err != nil {
		t.Fatalf("ended with %v, want FIN", err)
	}
	mustEcho(t, dial(t, p), "again")
}

func TestCutAllWithRST(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	mustEcho(t, c, "x")
	p.CutAll(RST)
	if err := ending(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("ended with %v, want RST", err)
	}
}

func TestRefusesAndComesBackOnTheSamePort(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	open := dial(t, p)
	mustEcho(t, open, "x")
	p.SetRefuse(true)
	if _, err := net.DialTimeout("tcp", p.Addr(), soon); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("dial: %v, want refused", err)
	}
	mustEcho(t, open, "still open")
	if err := p.SetRefuse(false); err != nil {
		t.Fatal(err)
	}
	mustEcho(t, dial(t, p), "y")
}

func TestBlackHoleHoldsAndLetsGo(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	old := dial(t, p)
	mustEcho(t, old, "x")
	p.SetBlackHole(true)
	fresh := dial(t, p)
	for _, c := range []net.Conn{old, fresh} {
		c.SetDeadline(time.Now().Add(300 * time.Millisecond))
		io.WriteString(c, "kept")
		if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
			t.Fatalf("read: %v, want silence", err)
		}
	}
	p.SetBlackHole(false)
	for _, c := range []net.Conn{old, fresh} {
		c.SetDeadline(time.Now().Add(soon))
		buf := make([]byte, 4)
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "kept" {
			t.Fatalf("after the hole: %q, %v", buf, err)
		}
	}
}

func TestHalfOpenIsForGood(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	old := dial(t, p)
	mustEcho(t, old, "x")
	if n := p.HalfOpen(); n != 1 {
		t.Fatalf("%d connections, want 1", n)
	}
	mustEcho(t, dial(t, p), "y")
	old.SetDeadline(time.Now().Add(300 * time.Millisecond))
	io.WriteString(old, "lost")
	if _, err := old.Read(make([]byte, 1)); !isTimeout(err) {
		t.Fatalf("read: %v, want silence", err)
	}
	p.CutAll(RST)
	if err := ending(old); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("ended with %v, want RST", err)
	}
}

func TestCutReachesIntoBlackHole(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	mustEcho(t, c, "x")
	p.SetBlackHole(true)
	io.WriteString(c, "lost")
	p.CutAll(RST)
	if err := ending(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("ended with %v, want RST", err)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	p.SetDelay(150 * time.Millisecond)
	began := time.Now()
	mustEcho(t, c, "slow")
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Fatalf("there and back took %v, want 300 ms or more", took)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	p.SetRate(10000)
	began := time.Now()
	mustEcho(t, c, string(make([]byte, 5000)))
	if took := time.Since(began); took < 350*time.Millisecond {
		t.Fatalf("5000 bytes at 10000 per second took %v", took)
	}
}

func TestCorruptsOneByteFromServer(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	p.CorruptFromServer(3, 0x01)
	c := dial(t, p)
	mustEcho(t, c, "ab")
	got, err := ask(c, "cdef")
	if err != nil || got != "ceef" {
		t.Fatalf("%q, %v; want ceef", got, err)
	}
	if n := p.Stats().Corrupted; n != 1 {
		t.Fatalf("corrupted %d bytes, want 1", n)
	}
}

func TestCorruptsOneByteFromClient(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	p.CorruptFromClient(0, 0x20)
	if got, err := ask(dial(t, p), "Abc"); err != nil || got != "abc" {
		t.Fatalf("%q, %v; want abc", got, err)
	}
}

func TestCutsAfterExactlyNBytes(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	for _, n := range []int64{0, 1, 7, 20000} {
		p.CutAfter(n, FIN)
		c := dial(t, p)
		c.SetDeadline(time.Now().Add(soon))
		go c.Write(make([]byte, 40000))
		got, err := io.ReadAll(c)
		if err != nil || int64(len(got)) != n {
			t.Fatalf("CutAfter(%d): %d bytes, %v", n, len(got), err)
		}
	}
	p.Reset()
	mustEcho(t, dial(t, p), "whole again")
}

func TestRetarget(t *testing.T) {
	t.Parallel()
	first, second := newEcho(t), newEcho(t)
	p := newProxy(t, first.Addr().String())
	old := dial(t, p)
	mustEcho(t, old, "x")
	p.Retarget(second.Addr().String())
	mustEcho(t, dial(t, p), "y")
	mustEcho(t, old, "still on the first")
	second.mu.Lock()
	defer second.mu.Unlock()
	if len(second.conns) != 1 {
		t.Fatalf("the second server has %d connections, want 1", len(second.conns))
	}
}

func TestServerDownAbortsClient(t *testing.T) {
	t.Parallel()
	e := newEcho(t)
	e.shut()
	p := newProxy(t, e.Addr().String())
	// The reset may come before connect has returned.
	c, err := net.DialTimeout("tcp", p.Addr(), soon)
	if err == nil {
		defer c.Close()
		err = ending(c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("ended with %v, want RST", err)
	}
	if n := p.Stats().DialFailures; n != 1 {
		t.Fatalf("%d dial failures, want 1", n)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	mustEcho(t, c, "x")
	p.SetBlackHole(true)
	io.WriteString(c, "held")
	p.Close()
	if err := ending(c); err == nil || isTimeout(err) {
		t.Fatalf("ended with %v, want a reset", err)
	}
	if n := p.Stats().Open; n != 0 {
		t.Fatalf("%d connections are open after Close", n)
	}
}
