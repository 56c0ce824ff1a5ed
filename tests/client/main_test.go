// SPDX-License-Identifier: Apache-2.0

// Package client holds libkubemote's client beside Go's: typed objects, and
// requests and their answers on a scripted server.
package client

import "path/filepath"

var (
	root, _ = filepath.Abs("../..")
	checker = filepath.Join(root, "build/linux/kubemote-check")
)
