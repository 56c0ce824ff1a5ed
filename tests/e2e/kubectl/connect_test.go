// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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
auth whoami --context good --as bob --as-uid 5
auth whoami --kubeconfig {CONFIG} --context good
auth whoami --context good -o yaml
auth whoami --context good -o name
auth whoami --context good -o jsonpath={.status.userInfo.username}
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

// plainSteps name a server without a scheme: it is plain http then, whatever of TLS stands beside it, and no credential goes there.
const plainSteps = `
get --raw /seen -s {HOST}
get --raw /seen -s {HOST}/
get --raw /seen -s http://{HOST}
get --raw /seen -s HTTP://{HOST}
get --raw /seen -s {HOST} --token {TOKEN}
get --raw /seen -s {HOST} --certificate-authority {CA}
get --raw /seen -s {HOST} --certificate-authority {CA} --token {TOKEN}
get --raw /seen -s {HOST} --client-certificate {CERT} --client-key {KEY}
get --raw /seen -s {HOST} --insecure-skip-tls-verify --token {TOKEN}
get --raw /seen -s {HOST} --tls-server-name=kubernetes --token {TOKEN}
get --raw /seen -s {HOST} --context good
get --raw /seen -s {HOST} --context good --token {TOKEN}
get --raw /seen -s {HOST} --context open
get --raw /seen -s {HOST} --as bob
get --raw /seen -s http://{HOST}/below --token {TOKEN}
get --raw /seen -s {HOST} --kubeconfig {PLAIN} --token {TOKEN}
get --raw /seen --kubeconfig {PLAIN}
get --raw /seen --kubeconfig {PLAIN} --token {TOKEN}
get --raw /seen --kubeconfig {PLAIN} --certificate-authority {CA} --token {TOKEN}
get --raw /seen --kubeconfig {PLAIN} --insecure-skip-tls-verify --token {TOKEN}
get --raw /seen -s {TLSHOST} --certificate-authority {CA} --token {TOKEN}
get --raw /seen -s {TLSHOST} --insecure-skip-tls-verify --token {TOKEN}
get --raw /seen -s {TLSHOST} --client-certificate {CERT} --client-key {KEY}
get --raw /seen -s {TLSHOST} --context good
`

func TestServerWithoutScheme(t *testing.T) {
	c := makeConnectConfig(t)
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, fmt.Sprint(r.URL, r.Header["Authorization"], r.Header["Impersonate-User"]))
		fmt.Fprintln(w, "seen")
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	plain := filepath.Join(t.TempDir(), "plain")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}], users: [{name: u, user: {token: secret}}]}`, host, cluster.CAFile())
	if err := os.WriteFile(plain, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{HOST}", host, "{PLAIN}", plain, "{TLSHOST}", strings.TrimPrefix(cluster.URL(), "https://"))
	for _, s := range steps(plainSteps) {
		t.Run(s.args, func(t *testing.T) {
			report.row("Connection flags", s.args, "same")
			seen = nil
			want := c.run(t, theirs, fill.Replace(s.args))
			wanted := seen
			seen = nil
			got := c.run(t, ours, fill.Replace(s.args))
			if fmt.Sprint(seen) != fmt.Sprint(wanted) {
				t.Errorf("the server saw %q, of kubectl %q", seen, wanted)
			}
			if strings.Contains(fmt.Sprint(seen), "Bearer") {
				t.Errorf("a token on a plain connection: %q", seen)
			}
			got.stderr = sayKubectl(got.stderr)
			if got != want {
				t.Errorf("%+v, kubectl %+v", got, want)
			}
		})
	}
}
