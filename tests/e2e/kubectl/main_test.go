// SPDX-License-Identifier: Apache-2.0

// Package kubectl runs the command line beside the real kubectl. Both get their
// answers from one recorded exchange, so that ages and versions do not differ,
// and standard output, standard error and exit code are compared byte for byte.
// The run writes docs/KUBECTL.md.
package kubectl

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"kubemote.io/tests/cluster/plane"
)

var (
	root    string // of the repository
	scratch string // of this run
	ours    string
	theirs  string // a link named kubectl to the control plane program
	cluster *plane.Plane
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	var err error
	if err := prepare(); err != nil {
		return 1, err
	}
	defer os.RemoveAll(scratch)
	cluster, err = plane.Start(context.Background(), plane.Options{Scheduler: true})
	if err != nil {
		return 1, err
	}
	defer cluster.Stop()
	if err := populate(context.Background()); err != nil {
		return 1, err
	}
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" {
		err = report.write(filepath.Join(root, "docs", "KUBECTL.md"))
	}
	return code, err
}

func prepare() error {
	var err error
	if root, err = filepath.Abs("../../.."); err != nil {
		return err
	}
	ours = os.Getenv("KUBEMOTE_BIN")
	if ours == "" {
		ours = filepath.Join(root, "build/linux/kubemote")
	}
	program := os.Getenv("KUBEMOTE_CLUSTER_BIN")
	if program == "" {
		program = filepath.Join(root, "build/cluster/kubemote-cluster")
	}
	for _, path := range []string{ours, program} {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	if scratch, err = os.MkdirTemp("", "kubemote-kubectl"); err != nil {
		return err
	}
	theirs = filepath.Join(scratch, "kubectl")
	return os.Symlink(program, theirs)
}
