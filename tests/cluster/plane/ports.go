// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports come from below the range that the kernel gives to outgoing
// connections: a port found free there stays free until its server listens.
const (
	firstPort = 20000
	lastPort  = 32000
)

var (
	portsMu    sync.Mutex
	portsTaken = map[int]bool{}
)

// freePorts returns ports that are free on all loopback addresses and that no
// other plane of this process was given.
func freePorts(n int) ([]int, error) {
	portsMu.Lock()
	defer portsMu.Unlock()
	var ports []int
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		if portsTaken[port] || !portFree(port) {
			continue
		}
		portsTaken[port] = true
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("plane: no free ports")
}

func releasePorts(ports []int) {
	portsMu.Lock()
	defer portsMu.Unlock()
	for _, port := range ports {
		delete(portsTaken, port)
	}
}

func portFree(port int) bool {
	for _, host := range loopbackHosts() {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// loopbackHosts leaves IPv6 out where the machine has none.
var loopbackHosts = sync.OnceValue(func() []string {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return []string{"127.0.0.1"}
	}
	l.Close()
	return []string{"127.0.0.1", "::1"}
})

// HasIPv6 reports whether planes answer on ::1 here.
func HasIPv6() bool { return len(loopbackHosts()) > 1 }
