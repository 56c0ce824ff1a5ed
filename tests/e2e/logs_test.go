// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
)

// klogLine is a line as klog's own text format writes it: severity, date,
// time, process, place, quoted message, pairs. A value with line breaks stands
// between < and >, each of its lines behind a tab.
// One that is too long ends anywhere, and says so.
var klogLine = regexp.MustCompile(klogHead + klogPairs + `$|` + klogHead + klogPairs + `( [^[:cntrl:]]*(\n\t[^[:cntrl:]]*)*\n?)? \[truncated \d+ chars\]$`)

const (
	klogHead  = `^[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [a-z_]+\.c:\d+\] ` + klogQuoted
	klogPairs = `( [A-Za-z]\w*=(` + klogQuoted + `|-?\d+|true|false|<nil>|<\n(\t.*\n)* >))*`
)

const klogQuoted = `"(\\.|[^"\\[:cntrl:]])*"`

// klogLines splits a log into lines, a value of several lines kept in one.
func klogLines(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		if last := len(lines) - 1; last >= 0 && (line[0] == '\t' || line[0] == ' ') {
			lines[last] += line
			continue
		}
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\n")
	}
	return lines
}

// judgeLog finds every line in klog's format and no secret anywhere. An abort,
// of the sealed heap or of anything else, writes a line that is none of klog's.
func (a *agent) judgeLog() {
	a.t.Helper()
	bad := 0
	for _, line := range klogLines(a.log()) {
		if !klogLine.MatchString(line) {
			if bad++; bad <= 3 {
				a.t.Errorf("the agent %s: no line of klog's: %q", a.name, line)
			}
		}
	}
	written, _ := os.ReadFile(a.metrics)
	for what, text := range map[string]string{"log": a.log(), "output": a.out(), "metrics": string(written)} {
		for _, secret := range a.secrets {
			if strings.Contains(text, secret) {
				a.t.Errorf("the %s of %s tells a secret that begins with %.8s", what, a.name, secret)
			}
		}
	}
}

// secretsOf are pieces of the tokens and keys that a kubeconfig names, as they
// stand in files and as PEM carries them.
func secretsOf(t *testing.T, kubeconfig string) []string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil // a test of bad input
	}
	secrets := []string{"PRIVATE KEY"}
	for _, user := range config.AuthInfos {
		texts := [][]byte{[]byte(user.Token), user.ClientKeyData}
		for _, file := range []string{user.TokenFile, user.ClientKey} {
			if file != "" && !filepath.IsAbs(file) {
				file = filepath.Join(filepath.Dir(kubeconfig), file)
			}
			text, _ := os.ReadFile(file)
			texts = append(texts, text)
		}
		for _, text := range texts {
			secrets = append(secrets, pieces(text)...)
		}
	}
	return secrets
}

// pieces are the words of a secret, and of its base64 form, that are long
// enough to be nothing else.
func pieces(secret []byte) []string {
	const long = 20
	var found []string
	for _, text := range []string{string(secret), base64.StdEncoding.EncodeToString(bytes.TrimSpace(secret))} {
		for _, word := range regexp.MustCompile(`[^A-Za-z0-9+/_-]+`).Split(text, -1) {
			if len(word) >= long {
				found = append(found, word[:long])
			}
		}
	}
	return found
}

// At the highest verbosity too, every line is klog's and none tells a secret,
// with each kind of credentials and through a refusal.
func TestLogTellsNoSecret(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	applyManifest(t, p)
	token, err := p.ServiceAccountToken(t.Context(), "kubemote", "agent")
	check(t, err)
	for name, o := range map[string]plane.KubeconfigOptions{
		"certificate": {}, "key-file": {Files: true},
		"token": {Token: token}, "token-file": {Token: token, Files: true},
		"refused": {Token: "not-" + token},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kubeconfig := nodeKubeconfig(t, p, nodeName(t), o)
			a := start(t, p, options{kubeconfig: kubeconfig, verbosity: "10"})
			if len(a.secrets) < 2 {
				t.Fatal("no secret was found in the kubeconfig")
			}
			if name == "refused" {
				a.waitLine(soon, "Unauthorized")
				return
			}
			waitReady(t, p, nodeName(t))
			a.waitLine(soon, `"Response" verb="PATCH"`, "/leases/")
			a.stop()
		})
	}
}

// The log itself says one thing per episode: a server that is away for a while
// costs one line when it goes and one when it comes back.
func TestLogSaysOneLinePerEpisode(t *testing.T) {
	t.Parallel()
	p := theSharedPlane(t)
	name := nodeName(t)
	door := newDoor(t, p, "127.0.0.1:0")
	a := start(t, p, options{kubeconfig: doorKubeconfig(t, p, name, door), verbosity: "0"})
	waitSettled(t, p, name)
	for episode := 1; episode <= 2; episode++ {
		check(t, door.SetRefuse(true))
		door.CutAll(proxy.RST)
		time.Sleep(15 * time.Second)
		check(t, door.SetRefuse(false))
		waitRenewal(t, p, name, time.Now(), soon)
		eventually(t, soon, "the end of the episode", func() error {
			return count(a, episode, "The API server answers again")
		})
		check(t, count(a, episode, "The API server can't be used"))
	}
	if lines := klogLines(a.log()); len(lines) > 14 {
		t.Errorf("%d lines for two episodes", len(lines))
	}
}
