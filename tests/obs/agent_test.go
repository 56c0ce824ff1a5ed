// SPDX-License-Identifier: Apache-2.0

package obs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
)

// A server that forbids all, at length.
func forbid(t *testing.T) *httptest.Server {
	t.Helper()
	body := `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"` + strings.Repeat("no, ", 400) +
		`","reason":"Forbidden","code":403}`
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

// buffer is written by one and read by another.
type buffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

func roots(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// agent runs the agent against a server that does not know it; it ends with the test, in order.
func agent(t *testing.T, server *httptest.Server, config string, args ...string) *buffer {
	t.Helper()
	program := os.Getenv("KM_AGENT")
	if program == "" {
		t.Skip("KM_AGENT names no program: make obs")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kubeconfig := write("kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: u, user: {token: hush}}]
`, server.URL, base64.StdEncoding.EncodeToString(roots(server))))
	config = write("config", "apiVersion: kubemote.io/v1alpha1\nkind: AgentConfig\nnodeName: n\n"+config)
	log := new(buffer)
	command := exec.Command(program, append([]string{"run", "--kubeconfig", kubeconfig, "--config", config}, args...)...)
	command.Stderr = log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	return log
}

// waitFor polls until found says so.
func waitFor(t *testing.T, what string, found func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !found(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ---- requests in the log ----

var (
	header = regexp.MustCompile(`^[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \S+:\d+\] `)
	pair   = regexp.MustCompile(`(?s)^ ([A-Za-z]+)=("(?:\\.|[^"\\])*"?|<\n(?:\t[^\n]*\n)* >|[^ "<][^ ]*)`)
)

// entry is a line of klog's with its pairs in their order.
type entry struct {
	message string
	keys    []string
	values  map[string]string
}

// entriesOf reads klog's text; a value of several lines belongs to the line it began on.
func entriesOf(t *testing.T, text string) []entry {
	t.Helper()
	var whole []string
	for line := range strings.Lines(text) {
		if header.MatchString(line) || len(whole) == 0 {
			whole = append(whole, line)
		} else {
			whole[len(whole)-1] += line
		}
	}
	var all []entry
	for _, line := range whole {
		line = strings.TrimSuffix(header.ReplaceAllString(line, ""), "\n")
		message, err := strconv.QuotedPrefix(line)
		if err != nil {
			continue // cut
		}
		e := entry{message: strings.Trim(message, `"`), values: map[string]string{}}
		for rest := line[len(message):]; ; {
			found := pair.FindStringSubmatch(rest)
			if found == nil {
				break
			}
			e.keys = append(e.keys, found[1])
			e.values[found[1]] = found[2]
			rest = rest[len(found[0]):]
		}
		all = append(all, e)
	}
	return all
}

// theirs is what client-go logs of one request at that level.
func theirs(t *testing.T, server *httptest.Server, level int) []entry {
	t.Helper()
	var log buffer
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Verbosity(level), textlogger.Output(&log)))
	config := &rest.Config{Host: server.URL, BearerToken: "hush", TLSClientConfig: rest.TLSClientConfig{CAData: roots(server)}}
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper {
		return transport.NewDebuggingRoundTripper(rt, transport.DebugByContext)
	})
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	leases := client.Resource(schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"})
	_, _ = leases.Namespace("kube-node-lease").Get(klog.NewContext(context.Background(), logger), "n", metav1.GetOptions{})
	return entriesOf(t, log.String())
}

// ours is the same of the agent's first request of a kind, its pairs too.
func ours(t *testing.T, log *buffer, message string) entry {
	t.Helper()
	var found entry
	waitFor(t, message, func() bool {
		for _, e := range entriesOf(t, log.String()) {
			if e.message == message {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

func TestRequestsInTheLogAsClientGo(t *testing.T) {
	server := forbid(t)
	for level := 6; level <= 9; level++ {
		t.Run(strconv.Itoa(level), func(t *testing.T) {
			t.Parallel()
			log := agent(t, server, "", "-v", strconv.Itoa(level))
			compared := 0
			for _, want := range theirs(t, server, level) {
				if !slices.Contains([]string{"Request", "Response", "Response Body"}, want.message) {
					continue
				}
				compared++
				got := ours(t, log, want.message)
				// Times of the connection's parts stand behind it, and are not kept here.
				if at := slices.Index(want.keys, "milliseconds"); at >= 0 {
					want.keys = want.keys[:at+1]
				}
				if !slices.Equal(got.keys, want.keys) {
					t.Errorf("%s: pairs %q, client-go has %q", want.message, got.keys, want.keys)
				}
				if got.values["status"] != want.values["status"] || got.values["verb"] != want.values["verb"] {
					t.Errorf("%s: %q, client-go has %q", want.message, got.values, want.values)
				}
				if want.message == "Response Body" {
					// Our lines are bounded by bytes, theirs by the body's.
					body, _, _ := strings.Cut(got.values["body"], " [truncated ")
					if len(body) < 200 || !strings.HasPrefix(want.values["body"], body) {
						t.Errorf("body %q, client-go has %q", got.values["body"], want.values["body"])
					}
				}
			}
			if wanted := []int{1, 2, 3, 3}[level-6]; compared != wanted {
				t.Errorf("%d lines compared, not %d", compared, wanted)
			}
			if text := log.String(); strings.Contains(text, "hush") {
				t.Errorf("the token is told: %s", text)
			} else if level == 9 && !strings.Contains(text, `-H "Authorization: Bearer <masked>"`) {
				t.Errorf("no masked token in the curl line: %s", text)
			} else if level == 7 && !strings.Contains(text, "\tAuthorization: Bearer <masked>\n") {
				t.Errorf("no masked token in the headers: %s", text)
			}
		})
	}
}

// The curl line is client-go's to the letter but for the headers' order and the agent's name.
func TestCurlLine(t *testing.T) {
	server := forbid(t)
	log := agent(t, server, "", "-v", "9")
	var lines []string
	for _, e := range append(theirs(t, server, 9), ours(t, log, "Request")) {
		if e.message != "Request" {
			continue
		}
		line := regexp.MustCompile(` -H "(?:\\.|[^"\\])*"`).ReplaceAllString(e.values["curlCommand"], " H")
		line = regexp.MustCompile(`-X[A-Z]+`).ReplaceAllString(line, "-XGET")
		lines = append(lines, regexp.MustCompile(`( H)+ '[^']*'`).ReplaceAllString(line, " URL"))
	}
	if len(lines) != 2 || lines[0] != lines[1] {
		t.Errorf("%q", lines)
	}
}

// ---- where the log goes ----

func TestLogToFileAndSyslog(t *testing.T) {
	server := forbid(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.log")
	agent(t, server, "logOutput: file:"+path+"\nlogFileMaxSize: 4Ki\nlogFiles: 2\n", "-v", "10", "--log-format", "json")
	waitFor(t, "two files that are kept", func() bool {
		_, err := os.Stat(path + ".2")
		return err == nil
	})
	for _, name := range []string{path + ".1", path + ".2"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 4096 || !bytes.HasPrefix(text, []byte(`{"ts":`)) || !bytes.HasSuffix(text, []byte("}\n")) {
			t.Errorf("%s: %d bytes: %.80s", name, len(text), text)
		}
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "log"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	agent(t, server, "logOutput: syslog:"+filepath.Join(dir, "log")+"\n")
	line := make([]byte, 2048)
	_ = socket.SetReadDeadline(time.Now().Add(60 * time.Second))
	size, err := socket.Read(line)
	if err != nil || !regexp.MustCompile(`^<30>kubemote\[\d+\]: I\d{4} .*\] "Starting" `).Match(line[:size]) {
		t.Errorf("%q, %v", line[:size], err)
	}
}

// ---- the agent's own endpoint ----

func TestAgentsMetrics(t *testing.T) {
	server := forbid(t)
	for _, listen := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "metrics")} {
		t.Run(listen[:4], func(t *testing.T) {
			log := agent(t, server, "metricsListen: "+listen+"\n")
			address := ours(t, log, "Serving metrics and health").values["port"]
			client := &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				if path, found := strings.CutPrefix(listen, "unix:"); found {
					return net.Dial("unix", path)
				}
				return net.Dial("tcp", "127.0.0.1:"+address)
			}}}
			ours(t, log, "The server's version can't be read")
			text, err := fetch(client, "http://agent/metrics")
			if err != nil {
				t.Fatal(err)
			}
			judgeAgent(t, string(text), strings.TrimPrefix(server.URL, "https://"))
			for path, status := range map[string]int{"healthz": 200, "livez": 200, "readyz": 500} {
				response, err := client.Get("http://agent/" + path)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode != status {
					t.Errorf("%s: %s of an agent whose Node was refused", path, response.Status)
				}
			}
		})
	}
}

// The file holds the same, however long it is.
func TestAgentsMetricsFile(t *testing.T) {
	server := forbid(t)
	path := filepath.Join(t.TempDir(), "agent.prom")
	t.Run("run", func(t *testing.T) {
		log := agent(t, server, "metricsFile: "+path+"\n", "-v", "6")
		waitFor(t, "requests of several kinds", func() bool {
			text := log.String()
			return strings.Contains(text, `"Response" verb="POST"`) && strings.Contains(text, `"Response" verb="GET"`)
		})
	})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	judgeAgent(t, string(text), strings.TrimPrefix(server.URL, "https://"))
}

func judgeAgent(t *testing.T, text, host string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, family := range families {
		if help := family.GetHelp(); len(help) < 10 || strings.HasPrefix(help, "Value of") || strings.HasPrefix(help, "Count of") {
			t.Errorf("%s: %q says nothing", name, help)
		}
	}
	for _, name := range strings.Fields(`kubemote_pool_size kubemote_pool_used kubemote_pool_max kubemote_pool_refused_total
		kubemote_tls_arena_max_bytes kubemote_watch_age_seconds kubemote_lease_age_seconds kubemote_cache_incomplete kubemote_log_suppressed_total
		process_cpu_seconds_total process_resident_memory_bytes process_start_time_seconds
		rest_client_requests_total rest_client_request_duration_seconds rest_client_request_size_bytes rest_client_response_size_bytes
		workqueue_depth workqueue_adds_total workqueue_queue_duration_seconds workqueue_work_duration_seconds
		workqueue_unfinished_work_seconds workqueue_longest_running_processor_seconds workqueue_retries_total`) {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	total := 0.0
	for _, metric := range families["rest_client_requests_total"].GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		if labels["code"] != "403" || labels["host"] != host {
			t.Errorf("labels %v", labels)
		}
		total += metric.GetCounter().GetValue()
	}
	if total < 1 {
		t.Error("no request was counted")
	}
}
