// SPDX-License-Identifier: Apache-2.0

package proxy

import "time"

func (p *Proxy) change(f func(*faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.state)
	close(p.changed)
	p.changed = make(chan struct{})
}

// Retarget sends connections made from now on to another server. Open ones
// stay where they are.
func (p *Proxy) Retarget(target string) {
	p.change(func(f *faults) { f.target = target })
}

// CutAll ends every open connection now and returns how many there were.
func (p *Proxy) CutAll(how Cut) int {
	p.mu.Lock()
	list := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		list = append(list, c)
	}
	p.mu.Unlock()
	for _, c := range list {
		c.cut(how)
	}
	return len(list)
}

// SetRefuse(true) closes the listener, so that the kernel refuses new
// connections; open ones stay. SetRefuse(false) listens on the same port again.
func (p *Proxy) SetRefuse(refuse bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	if refuse {
		p.closeListener()
		return nil
	}
	if p.listener != nil {
		return nil
	}
	return p.open()
}

// SetBlackHole(true) keeps accepting and keeps all connections open, and
// passes nothing in either direction: a live middle box before a dead server.
// The kernel still answers keep-alive probes. What was held back is passed on
// after SetBlackHole(false).
func (p *Proxy) SetBlackHole(on bool) {
	p.change(func(f *faults) { f.blackHole = on })
}

// HalfOpen makes every open connection pass nothing any more, in either
// direction, until it is cut: a middle box that forgot it. Neither side hears
// of it, and the kernel still answers keep-alive probes. Connections made from
// now on are whole. It returns how many there were.
func (p *Proxy) HalfOpen() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.halfOpen = true
	}
	return len(p.conns)
}

// SetSilent(true) makes the proxy's host vanish from the client's network:
// packets from clients are dropped unanswered, so nothing is acknowledged, no
// keep-alive probe is answered and no connection can be made. Linux only.
func (p *Proxy) SetSilent(on bool) {
	p.change(func(f *faults) { f.silent = on })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		setDeaf(p.listener, on)
	}
	for c := range p.conns {
		setDeaf(c.client, on)
	}
}

// SetDelay holds back each piece of data for a time, in both directions.
func (p *Proxy) SetDelay(d time.Duration) {
	p.change(func(f *faults) { f.delay = d })
}

// SetRate limits each direction of each connection; 0 lifts the limit.
func (p *Proxy) SetRate(bytesPerSecond int) {
	p.change(func(f *faults) { f.rate = bytesPerSecond })
}

// CorruptFromServer flips the bits of mask in byte number i (from 0) that the
// server sends, in each connection that has not passed it yet.
func (p *Proxy) CorruptFromServer(i int64, mask byte) {
	p.change(func(f *faults) { f.corruptServer = corruption{on: true, at: i, mask: mask} })
}

// CorruptFromClient does the same to what the client sends.
func (p *Proxy) CorruptFromClient(i int64, mask byte) {
	p.change(func(f *faults) { f.corruptClient = corruption{on: true, at: i, mask: mask} })
}

// CutAfter passes exactly n bytes from the server in each connection and then
// cuts it; a connection beyond n is cut at the next byte.
func (p *Proxy) CutAfter(n int64, how Cut) {
	p.change(func(f *faults) { f.cutAfter, f.cutHow = n, how })
}

// Reset lifts all faults, refusal excepted, and keeps the target.
func (p *Proxy) Reset() {
	p.SetSilent(false)
	p.change(func(f *faults) { *f = faults{target: f.target, cutAfter: -1} })
}
