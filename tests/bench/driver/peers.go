// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"kubemote.io/tests/cluster/plane"
)

// peer is a program that is measured.
type peer struct {
	name   string // column of the table, key of results.json, part of the node's name
	binary string
	env    []string
	// joins is whether it registers a node, so that there is a Ready to wait for.
	joins bool
	// answers is whether it sets its own labels right with a status patch.
	answers bool
	// args make it run until it is killed.
	args func(c credentials) ([]string, error)
	// tell asks the running program for what only it knows.
	tell func(p *process) (told, error)
}

// credentials are those of one peer's node.
type credentials struct {
	node       string
	server     string // host:port
	kubeconfig string
	report     string // where the program writes what it knows
}

// told is what a program says of itself; absent where it says nothing.
type told struct {
	HeapCalls  *int64 `json:"heap_calls,omitempty"` // since its start
	ArenaBytes *int64 `json:"arena_bytes,omitempty"`
	SlotBytes  *int64 `json:"slot_bytes,omitempty"`
}

// agentName is the peer that all others are compared with.
const agentName = "kubemote"

func allPeers(root string) []peer {
	build := func(path string) string { return filepath.Join(root, "build", path) }
	return []peer{
		{
			name: agentName, binary: build("linux/kubemote"), joins: true, answers: true,
			args: agentArgs, tell: tellAgent,
		},
		{
			name: "bare-tls", binary: build("linux/bench/bare"),
			args: bareArgs, tell: tellBySignal,
		},
		{
			name: "client-go", binary: build("bench/clientgo"), joins: true, answers: true,
			env: []string{"DISABLE_HTTP2=1"}, args: commonArgs, tell: tellBySignal,
		},
		{
			// A file of its own, so that the two share no pages.
			name: "client-go-h2", binary: build("bench/clientgo-h2"), joins: true, answers: true,
			args: commonArgs, tell: tellBySignal,
		},
		{
			name: "kube-rs", binary: build("bench/kuberust"), joins: true,
			args: commonArgs, tell: tellBySignal,
		},
	}
}

// findPeers leaves those out that were not built and says so.
func findPeers(root string) (found []peer, skipped []string) {
	for _, p := range allPeers(root) {
		if _, err := os.Stat(p.binary); err != nil {
			progress("%s is not built: skipped", p.name)
			skipped = append(skipped, p.name)
			continue
		}
		found = append(found, p)
	}
	return found, skipped
}

func commonArgs(c credentials) ([]string, error) {
	return []string{"--kubeconfig", c.kubeconfig, "--node-name", c.node, "--report", c.report}, nil
}

func agentArgs(c credentials) ([]string, error) {
	return []string{"run", "--kubeconfig", c.kubeconfig, "--node-name", c.node, "--metrics-file", c.report}, nil
}

// bareArgs takes the credentials apart, since that program reads DER alone.
func bareArgs(c credentials) ([]string, error) {
	config, err := clientcmd.LoadFromFile(c.kubeconfig)
	if err != nil {
		return nil, err
	}
	context := config.Contexts[config.CurrentContext]
	user := config.AuthInfos[context.AuthInfo]
	args := []string{"--server", c.server, "--node-name", c.node, "--report", c.report}
	for flag, text := range map[string][]byte{
		"--ca":   config.Clusters[context.Cluster].CertificateAuthorityData,
		"--cert": user.ClientCertificateData,
		"--key":  user.ClientKeyData,
	} {
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, fmt.Errorf("no PEM for %s in %s", flag, c.kubeconfig)
		}
		der := c.kubeconfig + "." + strings.TrimLeft(flag, "-")
		if err := os.WriteFile(der, block.Bytes, 0o600); err != nil {
			return nil, err
		}
		args = append(args, flag, der)
	}
	return args, nil
}

// planeKind is one control plane and what is measured on it.
type planeKind struct {
	keys   plane.KeyType
	title  string
	starts bool // also how fast the peers become Ready
	only   []string
}

var planeKinds = []planeKind{
	{keys: plane.RSA2048, title: "RSA-2048 keys, as kubeadm makes them", starts: true},
	{keys: plane.P256, title: "P-256 keys", only: []string{agentName, "bare-tls"}},
}

func (k *planeKind) choose(peers []peer) []peer {
	if len(k.only) == 0 {
		return peers
	}
	var chosen []peer
	for _, p := range peers {
		for _, name := range k.only {
			if p.name == name {
				chosen = append(chosen, p)
			}
		}
	}
	return chosen
}

// readSizes takes the files that ship: board, then program.
func readSizes(root string) map[string]map[string]int64 {
	sizes := map[string]map[string]int64{}
	add := func(board, program, path string) {
		info, err := os.Stat(filepath.Join(root, "build", path))
		if err != nil {
			return
		}
		if sizes[board] == nil {
			sizes[board] = map[string]int64{}
		}
		sizes[board][program] = info.Size()
	}
	for _, board := range []string{"linux", "arm64", "armv7"} {
		add(board, agentName, board+"/kubemote")
		add(board, "bare-tls", board+"/bench/bare")
	}
	for _, p := range allPeers(root) {
		if p.name != agentName && p.name != "bare-tls" {
			add("linux", p.name, strings.TrimPrefix(p.binary, filepath.Join(root, "build")+"/"))
		}
	}
	return sizes
}
