// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged asks the kernel how many segments of a connection the peer
// has not acknowledged.
func unacknowledged(t *testing.T, c *net.TCPConn) uint32 {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err != nil {
		t.Fatal(err)
	}
	return info.Unacked
}

func TestSilentHostAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	mustEcho(t, c, "x")
	p.SetSilent(true)
	io.WriteString(c, "lost?")
	time.Sleep(200 * time.Millisecond)
	if n := unacknowledged(t, c); n == 0 {
		t.Fatal("data was acknowledged by a silent host")
	}
	if _, err := net.DialTimeout("tcp", p.Addr(), 300*time.Millisecond); !isTimeout(err) {
		t.Fatalf("dial: %v, want a time-out", err)
	}
	// The kernel sends again what was lost, so the stream is whole afterwards.
	p.SetSilent(false)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 5)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "lost?" {
		t.Fatalf("after the silence: %q, %v", buf, err)
	}
}

func TestBlackHoleStillAcknowledges(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t).Addr().String())
	c := dial(t, p)
	mustEcho(t, c, "x")
	p.SetBlackHole(true)
	io.WriteString(c, "held")
	time.Sleep(200 * time.Millisecond)
	if n := unacknowledged(t, c); n != 0 {
		t.Fatalf("%d segments are not acknowledged", n)
	}
}
