// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// scripted is a server that notes what it is asked and how often it is
// connected to.
type scripted struct {
	*httptest.Server
	mu          sync.Mutex
	requests    []*http.Request
	connections int
}

func serve(t *testing.T, secure bool, handler http.HandlerFunc) *scripted {
	t.Helper()
	s := &scripted{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		handler(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.connections++
			s.mu.Unlock()
		}
	}
	s.Config.ErrorLog = nil
	if secure {
		s.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *scripted) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.requests...)
}

func (s *scripted) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func (s *scripted) ca() []byte {
	if s.Certificate() == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// kubeconfig writes a configuration for the server, with that user.
func (s *scripted) kubeconfig(t *testing.T, user clientcmdapi.AuthInfo) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: s.URL, CertificateAuthorityData: s.ca()}
	config.AuthInfos["u"] = &user
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "c"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// goClient is client-go's REST client by the same configuration.
func goClient(t *testing.T, kubeconfig string) *rest.RESTClient {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.APIPath = "/api"
	config.GroupVersion = &scheme.Scheme.PrioritizedVersionsForGroup("")[0]
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.ContentType = "application/json"
	config.QPS = -1
	client, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// answer is one line of `kubemote-check request --send`.
type answer struct {
	HTTP              int    `json:"http"`
	Error             string `json:"error"`
	Words             string `json:"words"`
	Code              int32  `json:"code"`
	Reason            string `json:"reason"`
	Message           string `json:"message"`
	Delay             bool   `json:"delay"`
	RetryAfterSeconds int    `json:"retryAfterSeconds"`
	Causes            []struct {
		Type, Message, Field string
	} `json:"causes"`
	Is          []string `json:"is"`
	Warnings    []string `json:"warnings"`
	Body        string   `json:"body"`
	Handshakes  int      `json:"handshakes"`
	Resumed     int      `json:"resumed"`
	Connections int      `json:"connections"`
	Reloads     int      `json:"reloads"`
}

// send runs `kubemote-check request` with words split at blanks and gives its
// lines.
func send(t *testing.T, kubeconfig, words string) []answer {
	t.Helper()
	args := append([]string{"request"}, strings.Fields(words)...)
	cmd := exec.Command(checker, append(args, "--send", kubeconfig)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	if cmd.ProcessState.ExitCode() > 1 || cmd.ProcessState.ExitCode() < 0 {
		t.Fatalf("%v: %s", cmd.ProcessState, stderr.String())
	}
	var answers []answer
	for line := range strings.Lines(stdout.String()) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		answers = append(answers, a)
	}
	if len(answers) < 2 {
		t.Fatalf("no answer to %s: %s", words, stderr.String())
	}
	return answers
}

func writeBody(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeJSON(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprint(w, text)
}

// The same in chunks of one byte, so that readers get it byte by byte.
func writeBytes(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	for i := range len(text) {
		fmt.Fprint(w, text[i:i+1])
		w.(http.Flusher).Flush()
	}
}

const pod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n"}}`
