// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// setDeaf puts a packet filter on the socket that accepts nothing, or takes it
// away. The kernel drops such packets before TCP sees them, so the peer gets
// no acknowledgement: to it the cable is cut. It needs no privilege.
func setDeaf(s syscall.Conn, on bool) {
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		if !on {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
			return
		}
		dropAll := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
		unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(dropAll)), Filter: &dropAll[0]})
	})
}
