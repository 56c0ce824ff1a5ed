// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"fmt"
	_ "unsafe" // for go:linkname
)

// tlsMaxEnv names the environment variable that caps the API server's TLS
// version. The API server has a flag for the lowest version, none for the
// highest, and builds its tls.Config out of our reach.
const tlsMaxEnv = "KUBEMOTE_TLS_MAX"

// The list of versions that crypto/tls is willing to speak, for the whole
// process. Shortening it is the only way to cap the real API server without
// changing its source; it needs -ldflags=-checklinkname=0.
//
//go:linkname supportedVersions crypto/tls.supportedVersions
var supportedVersions []uint16

// limitTLS must run before the first handshake: the list has no lock.
func limitTLS(max string) error {
	switch max {
	case "", "1.3":
		return nil
	case "1.2":
		supportedVersions = []uint16{tls.VersionTLS12}
		return nil
	}
	return fmt.Errorf("%s=%q: want 1.2 or 1.3", tlsMaxEnv, max)
}
