// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"fmt"
	"os"
	"path/filepath"
)

// BinaryEnv names the program to use when Options.Binary is empty.
const BinaryEnv = "KUBEMOTE_CLUSTER_BIN"

const builtAt = "build/cluster/kubemote-cluster"

// Binary returns the path of the program, for tests that call its kubectl.
func Binary() (string, error) {
	if env := os.Getenv(BinaryEnv); env != "" {
		return filepath.Abs(env)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		file := filepath.Join(dir, builtAt)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("plane: no %s here or above, and %s is not set", builtAt, BinaryEnv)
		}
		dir = up
	}
}
