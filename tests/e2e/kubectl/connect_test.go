// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// connectConfig is a kubeconfig whose current context leads nowhere, and what flags can put in its place.
type connectConfig struct{ path, cert, key, token string }

func makeConnectConfig(t *testing.T) connectConfig {
	t.Helper()
	folder := t.TempDir()
	c := connectConfig{filepath.Join(folder, "config"), filepath.Join(folder, "cert"), filepath.Join(folder, "key"), ""}
	cert, key, err := cluster.ClientPEM("dora", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	request := &authv1.TokenRequest{}
	token, err := cluster.Client().CoreV1().ServiceAccounts("default").CreateToken(context.Background(), "default", request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.token = token.Status.Token
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- {name: good, cluster: {server: %[1]q, certificate-authority: %[2]q}}
- {name: open, cluster: {server: %[1]q, insecure-skip-tls-verify: true}}
- {name: both, cluster: {server: %[1]q, certificate-authority: %[2]q, insecure-skip-tls-verify: true}}
- {name: nowhere, cluster: {server: "https://127.0.0.1:1"}}
users:
- {name: dora, user: {client-certificate: %[3]q, client-key: %[4]q}}
- {name: nobody, user: {}}
contexts:
- {name: good, context: {cluster: good, user: dora, namespace: web}}
- {name: open, context: {cluster: open, user: dora}}
- {name: both, context: {cluster: both, user: dora}}
- {name: bad, context: {cluster: nowhere, user: nobody}}
current-context: bad
`, cluster.URL(), cluster.CAFile(), c.cert, c.key)
	for path, data := range map[string][]byte{c.path: []byte(text), c.cert: cert, c.key: key} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c connectConfig) run(t *testing.T, program, args string) outcome {
	t.Helper()
	words := strings.Fields(strings.NewReplacer("{URL}", cluster.URL(), "{CA}", cluster.CAFile(), "{CERT}", c.cert, "{KEY}", c.key,
		"{TOKEN}", c.token, "{CONFIG}", c.path).Replace(args))
	cmd := exec.CommandContext(t.Context(), program, words...)
	home := cacheOf(program) + "-connect"
	cmd.Env = []string{"HOME=" + home, "KUBECACHEDIR=" + home, "KUBECONFIG=" + c.path, "PATH=/nonexistent", "TZ=UTC"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

const connectSteps = `
auth whoami --context good
--context=good auth whoami
auth whoami --cluster good --user dora
auth whoami -s {URL} --certificate-authority {CA} --client-certificate {CERT} --client-key={KEY}
auth whoami --server={URL} --certificate-authority {CA} --token {TOKEN}
auth whoami --cluster good --token={TOKEN}
auth whoami --context good --as bob --as-group g --as-group h
auth whoami --kubeconfig {CONFIG} --context good
get sa -o name --context good
get sa -o name --context good -n kube-public
get sa -o name --context good --namespace=default
get ns web -o name --context good --tls-server-name=kubernetes
~ the TLS library's words | get ns web -o name --context good --tls-server-name=wrong.example
~ the TLS library's words | get ns web -o name -s {URL} --token {TOKEN}
auth whoami --context open
auth whoami --context good --insecure-skip-tls-verify
auth whoami --context both --insecure-skip-tls-verify=true
auth whoami -s {URL} --insecure-skip-tls-verify --token {TOKEN}
auth whoami -s {URL} --insecure-skip-tls-verify --client-certificate {CERT} --client-key {KEY}
get ns web -o name --context good --insecure-skip-tls-verify --tls-server-name=wrong.example
get ns web -o name --context good --insecure-skip-tls-verify=false
get ns web -o name --context open --certificate-authority {CA}
get ns web -o name --context both --certificate-authority {CA}
get ns web --context both
get ns web --context both --insecure-skip-tls-verify=false
get ns web --context good --certificate-authority {CA} --insecure-skip-tls-verify
get ns web -o name --context good --request-timeout=20s
get ns web -o name --context good --request-timeout=0
get ns web -o name --context good --request-timeout=20
get ns web --context good --request-timeout=soon
get ns web --context nosuch
get ns web --context good --cluster nosuch
get ns web --context good --user nosuch
get ns web --kubeconfig /nosuch/config
~ kubectl says the reason twice | get ns web --context good --certificate-authority /nosuch/ca
~ kubectl says the reason twice | get ns web --context good --client-key /nosuch/key
~ kubectl logs lines of its own | get ns web
`

func TestConnectionFlags(t *testing.T) {
	c := makeConnectConfig(t)
	for _, s := range steps(connectSteps) {
		t.Run(s.args, func(t *testing.T) {
			want, got := c.run(t, theirs, s.args), c.run(t, ours, s.args)
			report.row("Connection flags", s.args, map[bool]string{true: "same", false: s.differs}[s.differs == ""])
			if want.code != got.code {
				t.Errorf("exit code %d instead of %d; it says %q, kubectl %q", got.code, want.code, got.stderr, want.stderr)
			}
			if s.differs != "" {
				return
			}
			if text := difference("standard output", got.stdout, want.stdout); text != "" {
				t.Error(text)
			}
			if text := difference("standard error", sayKubectl(got.stderr), want.stderr); text != "" {
				t.Error(text)
			}
		})
	}
	if got := c.run(t, ours, "get ns web -o name --context good --qps=1 --burst=2"); got.code != 0 {
		t.Errorf("%+v", got)
	}
}
