// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func badInputs(t *testing.T) []badInput {
	t.Helper()
	c := makeCredentials()(t)
	var all []badInput
	for _, list := range [][]badInput{
		badFiles(c), badNames(c), unsupportedFields(c), badCredentials(t, c), badConfigs(), badArguments(),
	} {
		all = append(all, list...)
	}
	return all
}

// badFiles are kubeconfigs that can't be read or taken apart.
func badFiles(c *credentials) []badInput {
	good := goodKubeconfig("SERVER", c)
	remove := func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, "kubeconfig"))) }
	return []badInput{
		{name: "missing file", prepare: remove,
			want: []string{"DIR/kubeconfig", "no such file"}, kubectl: refuses},
		{name: "missing folder",
			args: []string{"run", "--kubeconfig", "DIR/nowhere/kubeconfig", "--node-name", "bad-input"},
			want: []string{"DIR/nowhere/kubeconfig", "no such file"}},
		{name: "a file where a folder should be",
			args: []string{"run", "--kubeconfig", "DIR/kubeconfig/more", "--node-name", "bad-input"},
			want: []string{"DIR/kubeconfig/more", "not a directory"}},
		{name: "directory", prepare: func(t *testing.T, dir string) {
			remove(t, dir)
			check(t, os.Mkdir(filepath.Join(dir, "kubeconfig"), 0o755))
		}, want: []string{"DIR/kubeconfig", "is a directory"}, kubectl: refuses},
		{name: "unreadable", prepare: func(t *testing.T, dir string) {
			check(t, os.Chmod(filepath.Join(dir, "kubeconfig"), 0))
		}, want: []string{"DIR/kubeconfig", "permission denied"}},
		{name: "pipe without a writer", prepare: func(t *testing.T, dir string) {
			remove(t, dir)
			check(t, syscall.Mkfifo(filepath.Join(dir, "kubeconfig"), 0o644))
		}, want: []string{"DIR/kubeconfig", "the file is empty"}},
		{name: "endless file", args: []string{"run", "--kubeconfig", "/dev/zero", "--node-name", "bad-input"},
			want: []string{"/dev/zero", "larger than", "CONFIG_KM_CONFIG_WORK_BYTES"}},
		{name: "too large", kubeconfig: good + strings.Repeat("# nothing to see here\n", 8000),
			want: []string{"DIR/kubeconfig", "larger than", "CONFIG_KM_CONFIG_WORK_BYTES"}, kubectl: accepts},
		{name: "empty file", files: map[string]string{"kubeconfig": ""},
			want: []string{"DIR/kubeconfig", "empty"}, kubectl: refuses},
		{name: "comments only", kubeconfig: "# later\n---\n",
			want: []string{"DIR/kubeconfig", "empty"}, kubectl: refuses},
		{name: "in KUBECONFIG", args: []string{"run", "--node-name", "bad-input"}, env: []string{"KUBECONFIG=DIR/nowhere:DIR/kubeconfig"},
			kubeconfig: edit(good, "current-context", "other"), want: []string{"DIR/kubeconfig:18:", `"other"`}, kubectl: refuses},
		{name: "nothing at all", args: []string{"run", "--node-name", "bad-input"},
			want: []string{"no configuration has been provided", "DIR/.kube/config"}},
		{name: "colon missing", kubeconfig: strings.Replace(good, "contexts:", "contexts", 1),
			want: []string{"DIR/kubeconfig:1"}, kubectl: refuses},
		{name: "bracket open", kubeconfig: strings.Replace(good, "name: plane", "name: [plane", 1),
			want: []string{"DIR/kubeconfig:5"}, kubectl: refuses},
		{name: "tab", kubeconfig: strings.Replace(good, "    server", "\tserver", 1),
			want: []string{"DIR/kubeconfig:6"}, kubectl: refuses},
		{name: "binary", kubeconfig: "\x7fELF\x02\x01\x01\x00\x00\x00",
			want: []string{"DIR/kubeconfig:1"}, kubectl: refuses},
		{name: "not UTF-8", kubeconfig: edit(good, "server", "\xff\xfe"),
			want: []string{"DIR/kubeconfig:6", "UTF-8"}, kubectl: refuses},
		{name: "a list", kubeconfig: "- one\n- two\n",
			want: []string{"DIR/kubeconfig:1", "map"}, kubectl: refuses},
		{name: "a word", kubeconfig: "hello\n",
			want: []string{"DIR/kubeconfig:1", "map"}, kubectl: refuses},
		{name: "another kind", kubeconfig: edit(good, "kind", "Pod"),
			want: []string{"DIR/kubeconfig:2", "Pod", "Config"}, kubectl: refuses},
		{name: "another version", kubeconfig: edit(good, "apiVersion", "v2"),
			want: []string{"DIR/kubeconfig:1", "v2"}, kubectl: refuses},
		{name: "clusters as a map", kubeconfig: strings.Replace(good, "- name: plane", "  name: plane", 1),
			want: []string{"DIR/kubeconfig:3", "clusters"}, kubectl: refuses},
		{name: "a key twice", kubeconfig: after(good, "server:", "server: https://127.0.0.1:1"),
			want: []string{"DIR/kubeconfig:7", "server", "twice"}, kubectl: refuses},
		{name: "nested too deep", kubeconfig: strings.Repeat("[", 3000),
			want: []string{"DIR/kubeconfig:1"}, kubectl: refuses},
		{name: "thousands of aliases", kubeconfig: "a: &a [1,2]\nb: &b [*a,*a]\nc: [*b,*b]\n" + good,
			want: []string{"DIR/kubeconfig:1", "anchors"}, kubectl: accepts},
	}
}

// badNames are kubeconfigs whose parts don't lead to one another.
func badNames(c *credentials) []badInput {
	good := goodKubeconfig("SERVER", c)
	return []badInput{
		{name: "unknown context", args: []string{"run", "--kubeconfig", "DIR/kubeconfig", "--node-name", "bad-input", "--context", "moon"},
			want: []string{"DIR/kubeconfig", `context "moon" does not exist`}, kubectl: refuses},
		{name: "unknown current-context", kubeconfig: edit(good, "current-context", "moon"),
			want: []string{"DIR/kubeconfig:18", "current-context", `"moon" does not exist`}, kubectl: refuses},
		{name: "no current-context", kubeconfig: edit(good, "current-context", ""),
			want: []string{"DIR/kubeconfig", "current-context is not set", "--context"}, kubectl: refuses},
		{name: "unknown cluster", kubeconfig: edit(good, "cluster", "moon"),
			want: []string{"DIR/kubeconfig:16", `cluster "moon" does not exist`}, kubectl: refuses},
		{name: "no cluster", kubeconfig: edit(good, "cluster", ""),
			want: []string{"DIR/kubeconfig:15", "names no cluster"}, kubectl: refuses},
		{name: "unknown user", kubeconfig: edit(good, "user", "moon"),
			want: []string{"DIR/kubeconfig:17", `user "moon" does not exist`}, kubectl: refuses}, // it would ask for a name and a password
		{name: "no server", kubeconfig: edit(good, "server", ""),
			want: []string{"DIR/kubeconfig:5", "no server", `"plane"`}, kubectl: refuses},
		{name: "another scheme", kubeconfig: edit(good, "server", "ftp://127.0.0.1"),
			want: []string{"DIR/kubeconfig:6", "server", "ftp"}, kubectl: refuses},
		{name: "port out of range", kubeconfig: edit(good, "server", "https://127.0.0.1:66000"),
			want: []string{"DIR/kubeconfig:6", "server", "port"}, kubectl: refuses},
		{name: "no host", kubeconfig: edit(good, "server", "https://:6443"),
			want: []string{"DIR/kubeconfig:6", "server", "host"}},
		{name: "bad namespace", kubeconfig: after(good, "user: box", "namespace: Not_A_Label"),
			want: []string{"DIR/kubeconfig:18", "namespace", "DNS label"}},
		{name: "the same cluster twice", kubeconfig: strings.Replace(good, "users:", "- name: plane\n  cluster: {}\nusers:", 1),
			want: []string{"DIR/kubeconfig:8", "clusters", "duplicate", `"plane"`}, kubectl: refuses},
	}
}

// unsupportedFields are named, never left out in silence.
func unsupportedFields(c *credentials) []badInput {
	good := goodKubeconfig("SERVER", c)
	user := func(lines ...string) string { return after(good, "user:", lines...) }
	indented := func(lines ...string) string {
		for i := range lines {
			lines[i] = "  " + lines[i]
		}
		return user(lines...)
	}
	return []badInput{
		{name: "exec", kubeconfig: indented("exec:", "  apiVersion: client.authentication.k8s.io/v1", "  command: /bin/true", "  interactiveMode: Never"),
			want: []string{"DIR/kubeconfig:11", "exec is not supported"}},
		{name: "auth-provider", kubeconfig: indented("auth-provider: {name: oidc}"),
			want: []string{"DIR/kubeconfig:11", "auth-provider is not supported"}},
		{name: "proxy-url", kubeconfig: after(good, "server:", "proxy-url: http://127.0.0.1:1"),
			want: []string{"DIR/kubeconfig:7", "proxy-url is not supported"}},
		{name: "insecure-skip-tls-verify", kubeconfig: after(good, "server:", "insecure-skip-tls-verify: true"),
			want: []string{"DIR/kubeconfig:7", "insecure-skip-tls-verify is not supported", "certificate-authority"}},
		{name: "two methods", kubeconfig: indented("username: admin", "token: abc"),
			want: []string{"DIR/kubeconfig:11", "more than one authentication method"}},
		{name: "groups without a user", kubeconfig: indented("as-groups: [admin]"),
			want: []string{"without impersonating a user"}},
	}
}

// encrypted is a key as OpenSSL once wrote it under a password.
func encrypted(t *testing.T, key *pair) string {
	t.Helper()
	plain, _ := pem.Decode([]byte(key.keyPEM))
	//lint:ignore SA1019 The old form is what is wanted.
	locked, err := x509.EncryptPEMBlock(rand.Reader, plain.Type, plain.Bytes, []byte("secret"), x509.PEMCipherAES256)
	check(t, err)
	return string(pem.EncodeToMemory(locked))
}

func garbagePEM(kind string) string {
	return block(kind, []byte(strings.Repeat("garbage ", aes.BlockSize)))
}

// badCredentials are certificates, keys and tokens that can't be used.
func badCredentials(t *testing.T, c *credentials) []badInput {
	t.Helper()
	good := goodKubeconfig("SERVER", c)
	const ca, cert, key = "certificate-authority-data", "client-certificate-data", "client-key-data"
	set := func(field, text string) string { return edit(good, field, data(text)) }
	inFile := func(data, field string) string {
		return strings.Replace(edit(good, data, field+".pem"), data+":", field+":", 1)
	}
	token := strings.Replace(edit(edit(good, key, ""), cert, "token"), cert+":", "tokenFile:", 1)
	return []badInput{
		{name: "CA bad base64", kubeconfig: edit(good, ca, "'%%%'"),
			want: []string{"DIR/kubeconfig:7", ca, "base64"}, kubectl: refuses},
		{name: "CA cut base64", kubeconfig: edit(good, ca, data(c.ca.certPEM)[:401]),
			want: []string{"DIR/kubeconfig:7", ca, "base64"}, kubectl: refuses},
		{name: "CA without certificates", kubeconfig: set(ca, "nothing here\n"),
			want: []string{"DIR/kubeconfig:7", ca, "no certificate"}, kubectl: refuses},
		{name: "CA is a key", kubeconfig: set(ca, c.client.keyPEM),
			want: []string{"DIR/kubeconfig:7", ca, "no certificate"}, kubectl: refuses},
		{name: "CA garbage", kubeconfig: set(ca, garbagePEM("CERTIFICATE")),
			want: []string{"DIR/kubeconfig:7", ca, "no certificate"}, kubectl: refuses},
		{name: "CA file missing", kubeconfig: inFile(ca, "certificate-authority"),
			want: []string{"certificate-authority", "DIR/certificate-authority.pem", "no such file"}, kubectl: refuses},
		{name: "CA file empty", kubeconfig: inFile(ca, "certificate-authority"), files: map[string]string{"certificate-authority.pem": ""},
			want: []string{"certificate-authority", "DIR/certificate-authority.pem", "empty"}},
		{name: "CA file without certificates", kubeconfig: inFile(ca, "certificate-authority"),
			files: map[string]string{"certificate-authority.pem": "-----BEGIN NONSENSE-----\nAAAA\n-----END NONSENSE-----\n"},
			want:  []string{"certificate-authority", "DIR/certificate-authority.pem", "no certificate"}, kubectl: refuses},
		{name: "certificate bad base64", kubeconfig: edit(good, cert, "AAA"),
			want: []string{"DIR/kubeconfig:11", cert, "base64"}, kubectl: refuses},
		{name: "certificate garbage", kubeconfig: set(cert, garbagePEM("CERTIFICATE")),
			want: []string{"DIR/kubeconfig:11", cert, "not understood"}, kubectl: refuses},
		{name: "certificate not PEM", kubeconfig: set(cert, "garbage"),
			want: []string{"DIR/kubeconfig:11", cert, "no certificate"}, kubectl: refuses},
		{name: "certificate without key", kubeconfig: edit(good, key, ""),
			want: []string{"DIR/kubeconfig:1", "client-key"}, kubectl: refuses},
		{name: "key bad base64", kubeconfig: edit(good, key, "A==="),
			want: []string{"DIR/kubeconfig:12", key, "base64"}, kubectl: refuses},
		{name: "key garbage", kubeconfig: set(key, garbagePEM("EC PRIVATE KEY")),
			want: []string{"DIR/kubeconfig:12", key, "not understood"}, kubectl: refuses},
		{name: "key not PEM", kubeconfig: set(key, "garbage"),
			want: []string{"DIR/kubeconfig:12", key, "no private key"}, kubectl: refuses},
		{name: "key encrypted", kubeconfig: set(key, encrypted(t, c.client)),
			want: []string{"DIR/kubeconfig:12", key, "encrypted"}, kubectl: refuses},
		{name: "key of another certificate", kubeconfig: set(key, c.other.keyPEM),
			want: []string{"DIR/kubeconfig:12", key, "certificate", "do not belong together"}, kubectl: refuses},
		{name: "key file of another certificate", kubeconfig: inFile(key, "client-key"), files: map[string]string{"client-key.pem": c.other.keyPEM},
			want: []string{"client-key", "DIR/client-key.pem", "do not belong together"}, kubectl: refuses},
		{name: "key file unreadable", kubeconfig: inFile(key, "client-key"), files: map[string]string{"client-key.pem": c.client.keyPEM},
			prepare: func(t *testing.T, dir string) { check(t, os.Chmod(filepath.Join(dir, "client-key.pem"), 0)) },
			want:    []string{"client-key", "DIR/client-key.pem", "permission denied"}},
		{name: "key file is a directory", kubeconfig: inFile(key, "client-key"),
			prepare: func(t *testing.T, dir string) { check(t, os.Mkdir(filepath.Join(dir, "client-key.pem"), 0o755)) },
			want:    []string{"client-key", "DIR/client-key.pem", "is a directory"}, kubectl: refuses},
		{name: "key file and data", kubeconfig: after(good, "client-key-data:", "client-key: kubeconfig"),
			want: []string{"DIR/kubeconfig:1", "client-key"}, kubectl: refuses},
		{name: "CA file too large", kubeconfig: inFile(ca, "certificate-authority"),
			files: map[string]string{"certificate-authority.pem": c.ca.certPEM + strings.Repeat("# more\n", 5000)},
			want:  []string{"certificate-authority", "DIR/certificate-authority.pem", "CONFIG_KM_CRED_BYTES"}, kubectl: accepts},
		{name: "token file missing", kubeconfig: token,
			want: []string{"tokenFile", "DIR/token", "no such file"}, kubectl: refuses},
		{name: "token file empty", kubeconfig: token, files: map[string]string{"token": ""},
			want: []string{"tokenFile", "DIR/token", "empty"}, kubectl: refuses},
		{name: "token file blank", kubeconfig: token, files: map[string]string{"token": " \n"},
			want: []string{"tokenFile", "DIR/token", "no token"}, kubectl: refuses},
		{name: "token with a line end", kubeconfig: strings.Replace(token, "tokenFile: token", `token: "one\r\nEvil: two"`, 1),
			want: []string{"DIR/kubeconfig:11", "token", "control character"}, kubectl: refuses},
	}
}

func many(n int, format string) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, format, i)
	}
	return all.String()
}

// badConfigs are configurations of the agent; their body begins in line 3.
func badConfigs() []badInput {
	file := func(name, text string, want ...string) badInput {
		return badInput{name: name, files: map[string]string{"config.yaml": text}, want: want,
			args: []string{"run", "--kubeconfig", "DIR/kubeconfig", "--node-name", "bad-input", "--config", "DIR/config.yaml"}}
	}
	return []badInput{
		{name: "config missing", args: []string{"run", "--kubeconfig", "DIR/kubeconfig", "--config", "DIR/none.yaml"},
			want: []string{"DIR/none.yaml", "no such file"}},
		file("config empty", "", "DIR/config.yaml", "empty", "AgentConfig"),
		file("config without kind", "apiVersion: kubemote.io/v1alpha1\n", "DIR/config.yaml:1", "kind", "AgentConfig"),
		file("config of another kind", configHead[:len(configHead)-12]+"Pod\n", "DIR/config.yaml:2", "Pod", "AgentConfig"),
		file("config malformed", configHead+"labels: {a: b\n", "DIR/config.yaml:4"),
		{name: "unknown key", config: "podsCapacity: 1\nlabel: {a: b}\n", want: []string{"DIR/config.yaml:4", `unknown key "label"`, "CONFIGURATION.md"}},
		{name: "unknown key in a map", config: "reserved:\n  cpus: 1\n", want: []string{"DIR/config.yaml:4", `unknown key "cpus" in reserved`}},
		{name: "value out of range", config: "\nleaseDurationSeconds: 100000\n", want: []string{"DIR/config.yaml:4", "leaseDurationSeconds", "100000", "2 to 3600"}},
		{name: "negative value", config: "podsCapacity: -1\n", want: []string{"DIR/config.yaml:3", "podsCapacity", "-1", "0 to 1000"}},
		{name: "huge value", config: "podsCapacity: 99999999999999999999\n", want: []string{"DIR/config.yaml:3", "podsCapacity", "0 to 1000"}},
		{name: "a text for a number", config: "podsCapacity: many\n", want: []string{"DIR/config.yaml:3", "podsCapacity", "whole number"}},
		{name: "a text for a truth", config: "recreateNode: perhaps\n", want: []string{"DIR/config.yaml:3", "recreateNode", "true or false"}},
		{name: "a list for a map", config: "labels: [a, b]\n", want: []string{"DIR/config.yaml:3", "labels", "map"}},
		{name: "a map for a list", config: "taints: {a: b}\n", want: []string{"DIR/config.yaml:3", "taints", "list"}},
		{name: "a quantity that is none", config: "reserved: {memory: lots}\n", want: []string{"DIR/config.yaml:3", "memory", "100Mi"}},
		{name: "a relative path", config: "rootPath: here\n", want: []string{"DIR/config.yaml:3", "rootPath", "absolute"}},
		{name: "periods that don't fit", config: "leaseDurationSeconds: 10\nleaseRenewSeconds: 8\n", want: []string{"DIR/config.yaml:4", "leaseRenewSeconds", "half"}},
		{name: "bad label key", config: "labels:\n  a b: c\n", want: []string{"DIR/config.yaml:4", "labels", "a b"}},
		{name: "bad label value", config: "labels:\n  a: b c\n", want: []string{"DIR/config.yaml:4", "labels", "b c"}},
		{name: "forbidden label", config: "labels:\n  node-role.kubernetes.io/control-plane: ''\n", want: []string{"DIR/config.yaml:4", "node-role.kubernetes.io/control-plane", "NodeRestriction"}},
		{name: "unknown effect", config: "taints:\n- {key: a, effect: Never}\n", want: []string{"DIR/config.yaml:4", "effect", "Never", "NoSchedule"}},
		{name: "more labels than the table holds", config: "labels:\n" + many(100, "  example.com/l%d: x\n"), want: []string{"DIR/config.yaml:", "labels", "CONFIG_KM_NODE_LABEL_COUNT"}},
		{name: "more taints than the table holds", config: "taints:\n" + many(40, "- {key: example.com/t%d, effect: NoSchedule}\n"), want: []string{"DIR/config.yaml:", "taints", "CONFIG_KM_NODE_TAINT_COUNT"}},
		{name: "bad node name in the configuration", config: "nodeName: My_Box\n", want: []string{"DIR/config.yaml:3", "My_Box", "a-z"}},
		{name: "unknown mode", config: "mode: ghost\n", want: []string{"DIR/config.yaml:3", "mode", "ghost", "node"}},
	}
}

// badArguments are command lines.
func badArguments() []badInput {
	line := func(name string, args []string, want ...string) badInput {
		return badInput{name: name, args: args, want: want}
	}
	named := func(name string) []string {
		return []string{"run", "--kubeconfig", "DIR/kubeconfig", "--node-name", name}
	}
	return []badInput{
		line("node name in capitals", named("Box"), "--node-name", "Box", "a-z"),
		line("node name with a blank", named("my box"), "--node-name", "my box"),
		line("node name with an underscore", named("my_box"), "--node-name", "my_box"),
		line("node name with a hyphen at its end", named("box-"), "--node-name", "box-"),
		line("node name with two dots", named("a..b"), "--node-name", "a..b"),
		line("node name too long", named(strings.Repeat("a", 254)), "--node-name", "253"),
		line("node name empty", named(""), "--node-name", "value"),
		line("node name with a slash", named("../nodes"), "--node-name", "../nodes"),
		line("unknown subcommand", []string{"fly"}, "unknown command", `"fly"`, "kubemote help"),
		line("unknown flag before the subcommand", []string{"--colour", "red", "run"}, "unknown flag", "--colour", "kubemote help"),
		line("flags before the subcommand", []string{"--node-name", "A_", "--print-node", "run"}, "--node-name", "A_", "a-z"),
		line("flags without a subcommand", []string{"--colour"}, "--colour", "kubemote help"),
		line("unknown flag", []string{"run", "--colour", "red"}, "unknown flag", "--colour", "kubemote help"),
		line("missing value", []string{"run", "--kubeconfig"}, "--kubeconfig", "value"),
		line("a flag for a value", []string{"run", "--kubeconfig", "--node-name", "x"}, "--kubeconfig", "value", "--node-name"),
		line("empty value", []string{"run", "--kubeconfig="}, "--kubeconfig", "value"),
		line("extra argument", append(named("bad-input"), "extra"), "unexpected argument", `"extra"`),
		line("extra argument of version", []string{"version", "extra"}, "extra arguments", "[extra]"),
		line("a flag that version has not", []string{"version", "--node-name", "x"}, "--node-name", "version"),
		line("verbosity that is no number", append(named("bad-input"), "-v", "loud"), "-v", "loud", "0 to 10"),
		line("verbosity out of range", append(named("bad-input"), "-v=11"), "-v", "11", "0 to 10"),
		line("a value where none belongs", append(named("bad-input"), "--print-node=maybe"), "--print-node"),
		line("two node names", append(named("bad-input"), "--node-name", "other"), "--node-name", "twice"),
		line("two kubeconfigs", append(named("bad-input"), "--kubeconfig=other"), "--kubeconfig", "twice"),
	}
}
