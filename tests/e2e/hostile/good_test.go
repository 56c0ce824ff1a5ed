// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// goodInputs are unusual kubeconfigs that kubectl takes.
func goodInputs(t *testing.T) map[string]badInput {
	t.Helper()
	c := makeCredentials()(t)
	good := goodKubeconfig("SERVER", c)
	asJSON, err := yaml.YAMLToJSON([]byte(good))
	check(t, err)
	if !json.Valid(asJSON) {
		t.Fatal("not JSON")
	}
	inFiles := good
	for data, field := range map[string]string{"certificate-authority-data": "certificate-authority",
		"client-certificate-data": "client-certificate", "client-key-data": "client-key"} {
		inFiles = strings.Replace(edit(inFiles, data, field+".pem"), data+":", field+":", 1)
	}
	pkcs8 := edit(good, "client-key-data", data("some words before\n"+c.client.keyPEM+"and after\n"))
	return map[string]badInput{
		"plain":        {kubeconfig: good},
		"as JSON":      {kubeconfig: string(asJSON)},
		"line ends":    {kubeconfig: strings.ReplaceAll(good, "\n", "\r\n")},
		"byte order":   {kubeconfig: "\ufeff" + good},
		"two texts":    {kubeconfig: good + "---\nkind: Config\nclusters: 17\n"},
		"more fields":  {kubeconfig: after(good, "kind:", "preferences: {colors: true}", "extensions: []", "unheard-of: 1")},
		"not insecure": {kubeconfig: after(good, "server:", "insecure-skip-tls-verify: false")},
		"another name": {kubeconfig: after(good, "server:", "tls-server-name: example.com")},
		"no end":       {kubeconfig: strings.TrimRight(good, "\n")},
		"words around": {kubeconfig: pkcs8},
		"chain of CAs": {kubeconfig: edit(good, "certificate-authority-data", data(c.ca.certPEM+c.other.certPEM))},
		"a token too":  {kubeconfig: after(good, "client-key-data:", "token: abc.def-123_~+/=")},
		"files beside it": {kubeconfig: inFiles, files: map[string]string{"certificate-authority.pem": c.ca.certPEM,
			"client-certificate.pem": c.client.certPEM, "client-key.pem": c.client.keyPEM}},
		"a faulty context aside": {kubeconfig: after(good, "contexts:", "- name: moon", "  context: {cluster: moon, user: moon}")},
	}
}

// TestGoodInput: what kubectl accepts of the supported features must bring the
// agent to the server's door, too.
func TestGoodInput(t *testing.T) {
	t.Parallel()
	for name, in := range goodInputs(t) {
		in.kubectl = accepts
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newDoors(t)
			dir := in.laidOut(t, server.url())
			log := knock(t, dir, server)
			if server.count.Load() == 0 {
				t.Fatalf("the agent did not come to the server: %s", log)
			}
			server.count.Store(0)
			in.askKubectl(t, dir, server)
		})
	}
}

// knock runs an agent until somebody came to the door, and returns its log.
func knock(t *testing.T, dir string, server *doors) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	log, err := os.Create(filepath.Join(dir, "log"))
	check(t, err)
	defer log.Close()
	cmd := exec.CommandContext(ctx, agentBin, "run", "--kubeconfig", filepath.Join(dir, "kubeconfig"), "--node-name", "good-input")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC"}
	cmd.Stderr = log
	check(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	for server.count.Load() == 0 {
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			return string(text)
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	<-ended
	return ""
}
