// SPDX-License-Identifier: Apache-2.0

// Command kubemote-cluster is a whole Kubernetes control plane in one file:
// etcd, the API server, the controller manager, the scheduler and kubectl,
// each one the real command, chosen by the first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const usage = `usage: kubemote-cluster COMMAND [flags]

  up                  start a control plane on free loopback ports
  ready               exit 0 if a node is Ready now
  version             print the version of Kubernetes inside

  etcd, apiserver, controller-manager, scheduler, kubectl
                      the real command of that name (each knows --help)
  etcdutl             offline work on etcd's files
`

// Each entry takes the arguments after the command's name and returns the
// exit status.
var commands = map[string]func(args []string) int{
	"up":                 up,
	"ready":              ready,
	"version":            printVersion,
	"etcd":               etcd,
	"etcdutl":            etcdutl,
	"apiserver":          apiserver,
	"controller-manager": controllerManager,
	"scheduler":          scheduler,
	"kubectl":            kubectl,
}

func main() {
	// A link named kubectl makes this program kubectl, so that scripts written
	// for the real one run as they are.
	if filepath.Base(os.Args[0]) == "kubectl" {
		os.Exit(kubectl(os.Args[1:]))
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if os.Args[1] == "help" || os.Args[1] == "--help" || os.Args[1] == "-h" {
		fmt.Print(usage)
		return
	}
	run, ok := commands[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "kubemote-cluster: unknown command %q\n\n%s", os.Args[1], usage)
		os.Exit(2)
	}
	os.Exit(run(os.Args[2:]))
}
