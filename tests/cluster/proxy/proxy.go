// SPDX-License-Identifier: Apache-2.0

// Package proxy is a TCP proxy that misbehaves on request. It stands between
// the agent and the API server and knows nothing of TLS: it cuts, stalls,
// slows and spoils bytes as a bad network would.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Cut is the way a connection ends.
type Cut int

const (
	// FIN ends a connection in good order, as a server that closes it.
	FIN Cut = iota
	// RST aborts it, as a crashed process or a firewall that says no.
	RST
)

// Stats are counters since the proxy was made, except Open.
type Stats struct {
	Accepted     int64 // connections taken from clients
	Open         int64 // connections open now
	DialFailures int64 // connections ended because the server did not answer
	ToServer     int64 // bytes written to the server
	ToClient     int64 // bytes written to clients
	Corrupted    int64 // bytes changed on the way
	CutByCount   int64 // connections ended by CutAfter
}

// faults is what is wrong now. The pumps take a fresh copy for each piece of
// data, so that a change has its effect on open connections too.
type faults struct {
	target    string
	blackHole bool
	silent    bool
	delay     time.Duration
	rate      int // bytes per second and direction, 0 = no limit

	corruptServer, corruptClient corruption

	cutAfter int64 // bytes from the server, < 0 = never
	cutHow   Cut
}

type corruption struct {
	on   bool
	at   int64
	mask byte
}

// Proxy forwards one listening address to one target.
type Proxy struct {
	network string
	listen  string

	mu       sync.Mutex
	listener *net.TCPListener // nil while refusing
	conns    map[*conn]struct{}
	state    faults
	changed  chan struct{} // closed and replaced at each change of state
	stats    Stats
	closed   bool
	wg       sync.WaitGroup
}

// New listens on an address ("127.0.0.1:0" takes a free port) and forwards to
// the target, which may be down.
func New(listen, target string) (*Proxy, error) {
	p := &Proxy{
		network: "tcp",
		listen:  listen,
		conns:   map[*conn]struct{}{},
		state:   faults{target: target, cutAfter: -1},
		changed: make(chan struct{}),
	}
	if err := p.open(); err != nil {
		return nil, err
	}
	return p, nil
}

// open starts to listen. The first call settles the port, so that later ones
// come back on the same. The caller holds the lock, or is New.
func (p *Proxy) open() error {
	// Multipath TCP, Go's default for listeners, has no packet filter.
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), p.network, p.listen)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	p.listener = l.(*net.TCPListener)
	p.listen = l.Addr().String()
	if p.state.silent {
		setDeaf(p.listener, true)
	}
	p.wg.Add(1)
	go p.acceptLoop(p.listener)
	return nil
}

// Addr is the listening address, "host:port".
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listen
}

// Port is the listening port.
func (p *Proxy) Port() int {
	addr, err := net.ResolveTCPAddr(p.network, p.Addr())
	if err != nil {
		return 0
	}
	return addr.Port
}

// Stats returns the counters.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Open = int64(len(p.conns))
	return s
}

// Close ends the listener and all connections, and waits for their goroutines.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.closeListener()
	p.mu.Unlock()
	p.Reset()
	p.CutAll(RST)
	p.wg.Wait()
}

// closeListener is called with the lock held.
func (p *Proxy) closeListener() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

func (p *Proxy) acceptLoop(l *net.TCPListener) {
	defer p.wg.Done()
	for {
		client, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors: a short rest beats a busy loop.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.adopt(client)
	}
}

// adopt registers a connection, or aborts it when the proxy closed meanwhile.
func (p *Proxy) adopt(client *net.TCPConn) {
	c := newConn(p, client)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		abort(client)
		return
	}
	if p.state.silent {
		setDeaf(client, true)
	}
	p.stats.Accepted++
	p.conns[c] = struct{}{}
	p.wg.Add(1)
	go c.run()
}

func (p *Proxy) forget(c *conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	p.wg.Done()
}

// snapshot returns the faults in force and a channel that closes when they
// change.
func (p *Proxy) snapshot() (faults, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.changed
}

func (p *Proxy) count(f func(*Stats)) {
	p.mu.Lock()
	f(&p.stats)
	p.mu.Unlock()
}
