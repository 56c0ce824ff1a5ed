// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const configOne = `apiVersion: v1
kind: Config
preferences: {}
current-context: b
clusters:
- name: zeta
  cluster:
    server: https://zeta.example:6443
    certificate-authority: ca.crt
    tls-server-name: kubernetes
- cluster: {certificate-authority-data: AAAA, server: "https://alpha.example", insecure-skip-tls-verify: false}
  name: alpha
contexts:
- {name: b, context: {cluster: zeta, user: "system:node:a", namespace: shop}}
- {name: a, context: {user: bob, cluster: alpha}}
- {name: lost, context: {user: nobody, cluster: nowhere}}
users:
- name: "system:node:a"
  user: {client-certificate-data: BBBB, client-key-data: CCCC, as: someone, as-groups: [g1, g2]}
- name: bob
  user: {token: secret, username: bob, password: "p: q", tokenFile: /run/token}
`

const configTwo = `{"apiVersion":"v1","kind":"Config","current-context":"a",
"clusters":[{"name":"alpha","cluster":{"server":"https://other.example"}},{"name":"gamma","cluster":{"server":"http://gamma.example:80","insecure-skip-tls-verify":true}}],
"contexts":[{"name":"c","context":{"cluster":"gamma","user":"bob","namespace":"other"}}],"users":[]}`

// configRun runs a program with its own copies of the files, whose folder reads {DIR} in what it says, and returns the current
// contexts that it left in them as well.
func configRun(t *testing.T, program, list, args string) (outcome, string) {
	t.Helper()
	folder := t.TempDir()
	fill := strings.NewReplacer("{ONE}", filepath.Join(folder, "one"), "{TWO}", filepath.Join(folder, "two"), "{BAD}", filepath.Join(folder, "bad"),
		"{NONE}", filepath.Join(folder, "none"))
	for name, text := range map[string]string{"one": configOne, "two": configTwo, "bad": "a: [b\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, strings.Fields(fill.Replace(args))...)
	cmd.Env = []string{"HOME=" + folder, "KUBECONFIG=" + fill.Replace(list), "PATH=/nonexistent"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	here := strings.NewReplacer(folder, "{DIR}")
	out := outcome{here.Replace(stdout.String()), sayKubectl(here.Replace(stderr.String())), cmd.ProcessState.ExitCode()}
	return out, currentContext(t, filepath.Join(folder, "one")) + " " + currentContext(t, filepath.Join(folder, "two"))
}

func currentContext(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Current string `json:"current-context"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	return config.Current
}

func TestConfig(t *testing.T) {
	for _, list := range []string{"{ONE}", "{ONE}:{NONE}:{TWO}", "{TWO}:{ONE}", "{NONE}", "{BAD}"} {
		for _, s := range steps(`
config view
config view --raw
config view -o json
config view -o json --raw
config view --minify
config view --minify --context=a
config view --minify --context=c -o json
config view --minify --context=lost
config view --minify --context=nosuch
config view -o JSON
config view extra words
config get-contexts
config get-contexts -o name
config get-contexts --no-headers
config get-contexts a
config get-contexts a nosuch b
config get-contexts nosuch -o name
config current-context
config use-context a
config use-context c
config use-context lost
config use-context nosuch
config view --kubeconfig={TWO}
config view --kubeconfig={NONE}
config current-context --kubeconfig={NONE}
config use-context a --kubeconfig={TWO}
`) {
			if list != "{BAD}" {
				report.row("config", s.args+" # KUBECONFIG="+list, "same")
			}
			t.Run(list+" "+s.args, func(t *testing.T) {
				t.Parallel()
				want, wanted := configRun(t, theirs, list, s.args)
				got, left := configRun(t, ours, list, s.args)
				if list == "{BAD}" {
					want.stderr, got.stderr = "", ""
				}
				if got != want || left != wanted {
					t.Errorf("%+v %s\nkubectl %+v %s", got, left, want, wanted)
				}
			})
		}
	}
	report.row("config", "config ... # KUBECONFIG={BAD}, which is no YAML", "kubemote names file and line")
}
