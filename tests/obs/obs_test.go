// SPDX-License-Identifier: Apache-2.0

// Package obs asks the metrics endpoint as scrapers do, good ones and others.
package obs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// serve starts the program and returns its address; it must end in order and without words on standard error.
func serve(t *testing.T, listen string) string {
	t.Helper()
	program := os.Getenv("KM_OBS_SERVE")
	if program == "" {
		t.Skip("KM_OBS_SERVE names no program: make obs")
	}
	command := exec.Command(program, listen)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("ended with %v, said %q", err, stderr.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strings.TrimSpace(line)
}

func get(t *testing.T, client *http.Client, url, accept string) (*http.Response, string) {
	t.Helper()
	request, _ := http.NewRequest("GET", url, nil)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestHealthByNetHTTP(t *testing.T) {
	base := "http://" + serve(t, "127.0.0.1:0")
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/healthz", "ok", 200}, {"/livez", "ok", 200},
		{"/livez?verbose", "[+]loop ok\nlivez check passed\n", 200},
		{"/readyz", "[+]loop ok\n[-]moody failed: in a bad mood\nreadyz check failed\n", 500},
		{"/readyz", "ok", 200},
		{"/", "", 404}, {"/metricsx", "", 404}, {"/metrics/", "", 404}, {"/%6detrics", "", 404},
	} {
		response, body := get(t, http.DefaultClient, base+c.path, "")
		if response.StatusCode != c.status || (c.body != "" && body != c.body) {
			t.Errorf("%s: %d %q", c.path, response.StatusCode, body)
		}
	}
}

func TestMethods(t *testing.T) {
	base := "http://" + serve(t, "127.0.0.1:0")
	for method, status := range map[string]int{"POST": 405, "DELETE": 405, "OPTIONS": 405, "HEAD": 200} {
		request, _ := http.NewRequest(method, base+"/metrics", nil)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(method, err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != status || err != nil || (method == "HEAD" && len(body) > 0) {
			t.Errorf("%s: %d, %d bytes, %v", method, response.StatusCode, len(body), err)
		}
	}
	response, err := http.Post(base+"/metrics", "text/plain", strings.NewReader("x"))
	if err != nil || response.StatusCode != 413 {
		t.Errorf("a body: %v %v", response, err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	address := serve(t, "127.0.0.1:0")
	var dials int
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		dials++
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}}
	for range 50 {
		get(t, client, "http://x/metrics", "")
		get(t, client, "http://x/healthz", "")
	}
	if dials != 1 {
		t.Errorf("%d connections", dials)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	serve(t, "unix:"+path)
	about, err := os.Stat(path)
	if err != nil || about.Mode().Perm()&0o007 != 0 {
		t.Errorf("%v %v", about, err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	if _, body := get(t, client, "http://x/livez", ""); body != "ok" {
		t.Error(body)
	}
}

func TestAddressTaken(t *testing.T) {
	address := serve(t, "127.0.0.1:0")
	out, err := exec.Command(os.Getenv("KM_OBS_SERVE"), address).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "error: can't listen on "+address+": somebody else does") {
		t.Errorf("%v %s", err, out)
	}
}

// ---- the text ----

func histogram(t *testing.T, families map[string]*dto.MetricFamily, name string, labels string) *dto.Histogram {
	t.Helper()
	for _, metric := range families[name].GetMetric() {
		var pairs []string
		for _, label := range metric.GetLabel() {
			pairs = append(pairs, label.GetName()+"="+label.GetValue())
		}
		if strings.Join(pairs, ",") == labels {
			return metric.GetHistogram()
		}
	}
	t.Fatalf("no %s{%s}", name, labels)
	return nil
}

func TestPrometheusText(t *testing.T) {
	response, body := get(t, http.DefaultClient, "http://"+serve(t, "127.0.0.1:0")+"/metrics", "")
	if response.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Error(response.Header)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, family := range families {
		if help := family.GetHelp(); len(help) < 10 || strings.HasPrefix(help, "Value of") || strings.HasPrefix(help, "Count of") {
			t.Errorf("%s: %q says nothing", name, help)
		}
	}
	cold := families["kubemote_temperature_celsius"]
	if cold.GetHelp() != `Cold "here"\there.` || cold.Metric[0].GetLabel()[0].GetValue() != "a\"b\\c\nd" || cold.Metric[0].GetGauge().GetValue() != -40 {
		t.Error(cold)
	}
	if len(families["kubemote_many_total"].Metric) != 600 {
		t.Error("samples are missing")
	}
	h := histogram(t, families, "rest_client_request_duration_seconds", "verb=GET,host=api.example:6443")
	if h.GetSampleCount() != 2 || h.GetSampleSum() != 70.003 || len(h.GetBucket()) != 13 || h.GetBucket()[0].GetCumulativeCount() != 1 {
		t.Error(h)
	}
	h = histogram(t, families, "workqueue_work_duration_seconds", "name=first")
	if h.GetSampleCount() != 4 || h.GetBucket()[0].GetUpperBound() != 1e-8 || h.GetBucket()[9].GetUpperBound() != 10 || h.GetBucket()[7].GetCumulativeCount() != 4 {
		t.Error(h)
	}
	if families["workqueue_adds_total"].Metric[0].GetCounter().GetValue() != 4 || len(families["workqueue_depth"].Metric) != 2 {
		t.Error(families["workqueue_adds_total"], families["workqueue_depth"])
	}
	for _, metric := range families["rest_client_requests_total"].Metric {
		if len(metric.GetLabel()) != 3 || metric.GetLabel()[0].GetName() != "code" || metric.GetLabel()[1].GetName() != "method" {
			t.Error(metric)
		}
	}
}

// What promtool check metrics says.
func TestLint(t *testing.T) {
	_, body := get(t, http.DefaultClient, "http://"+serve(t, "127.0.0.1:0")+"/metrics", "")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

const openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// samples reads a text by the parser that Prometheus scrapes with.
func samples(t *testing.T, text, contentType string) map[string]float64 {
	t.Helper()
	parser, err := textparse.New([]byte(text), contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var set labels.Labels
		parser.Labels(&set)
		_, _, value := parser.Series()
		if _, twice := all[set.String()]; twice {
			t.Errorf("%s stands twice", set)
		}
		all[set.String()] = value
	}
}

func TestOpenMetrics(t *testing.T) {
	address := serve(t, "127.0.0.1:0")
	response, open := get(t, http.DefaultClient, "http://"+address+"/metrics",
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1")
	if response.Header.Get("Content-Type") != openMetrics || !strings.HasSuffix(open, "\n# EOF\n") {
		t.Error(response.Header)
	}
	_, text := get(t, http.DefaultClient, "http://"+address+"/metrics", "text/plain")
	opened, plain := samples(t, open, openMetrics), samples(t, text, "text/plain; version=0.0.4")
	if len(opened) != len(plain) || len(plain) < 700 {
		t.Errorf("%d samples in OpenMetrics, %d in text", len(opened), len(plain))
	}
	for name := range plain {
		if _, there := opened[name]; !there {
			t.Errorf("%s is missing in OpenMetrics", name)
		}
	}
}

// The parsers that judge us refuse what they must: the corpus says what that is.
func TestJudges(t *testing.T) {
	folder := filepath.Join(os.Getenv("KM_CORPORA"), "prometheus-text")
	index, err := os.ReadFile(filepath.Join(folder, "text004-index.json"))
	if err != nil {
		t.Skip(err)
	}
	var entries []map[string]any
	if err := json.Unmarshal(index, &entries); err != nil {
		var whole map[string]json.RawMessage
		_ = json.Unmarshal(index, &whole)
		for _, value := range whole {
			_ = json.Unmarshal(value, &entries)
		}
	}
	judged := 0
	for _, entry := range entries {
		name, _ := entry["id"].(string)
		ok, known := entry["accept"].(bool)
		text, err := os.ReadFile(filepath.Join(folder, "text004", name+".prom"))
		if err != nil || !known {
			continue
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		_, err = parser.TextToMetricFamilies(bytes.NewReader(text))
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		judged++
	}
	t.Logf("%d texts", judged)
}

// ---- hostile ones ----

// say sends bytes and returns all that comes until the server closes or the time is over.
func say(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, text)
	// After an odd request the server listens for a moment; it need not.
	_ = conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func TestRawRequests(t *testing.T) {
	t.Parallel()
	address := serve(t, "127.0.0.1:0")
	const end = "Host: x\r\nConnection: close\r\n\r\n"
	for _, c := range []struct{ request, status string }{
		{"GET /livez HTTP/1.1\r\n" + end, "200"},
		{"\r\nGET /livez HTTP/1.1\r\n" + end, "200"},
		{"GET http://x/livez HTTP/1.1\r\n" + end, "200"},
		{"GET /livez HTTP/1.0\r\n\r\n", "200"},
		{"GET /livez?a=b&verbose=1 HTTP/1.1\r\n" + end, "200"},
		{"GET /livez HTTP/1.1\r\nContent-Length: 0\r\n" + end, "200"},
		{"GET /livez HTTP/1.1\r\nX: " + strings.Repeat("y", 7000) + "\r\n" + end, "200"},
		{"GET /livez HTTP/1.1\r\n\r\n", "400"},
		{"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		{"GET /livez HTTP/1.1\nHost: x\n\n", "400"},
		{"GET /livez HTTP/1.1\rHost: x\r\r", "400"},
		{"GET  /livez HTTP/1.1\r\n" + end, "400"},
		{"GET /livez  HTTP/1.1\r\n" + end, "400"},
		{"GET /liv\x00ez HTTP/1.1\r\n" + end, "400"},
		{"GET /liv\xffez HTTP/1.1\r\n" + end, "400"},
		{"GET /livez HTTP/2.0\r\n" + end, "400"},
		{"GET /livez\r\n" + end, "400"},
		{" GET /livez HTTP/1.1\r\n" + end, "400"},
		{"G@T /livez HTTP/1.1\r\n" + end, "400"},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
		{"GET /livez HTTP/1.1\r\nX : y\r\n" + end, "400"},
		{"GET /livez HTTP/1.1\r\nX: y\r\n z\r\n" + end, "400"},
		{"GET /livez HTTP/1.1\r\nX: \x01\r\n" + end, "400"},
		{"GET /livez HTTP/1.1\r\n: y\r\n" + end, "400"},
		{"GET /livez HTTP/1.1\r\nContent-Length: -1\r\n" + end, "400"},
		{"GET /livez HTTP/1.1\r\nContent-Length: 1e3\r\n" + end, "400"},
		{"GET /livez HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" + end, "400"},
		{"GET /livez HTTP/1.1\r\nContent-Length: 5\r\n" + end + "GET /", "413"},
		{"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\n", "413"},
		{"GET /" + strings.Repeat("a", 300) + " HTTP/1.1\r\n" + end, "431"},
		{"GET /" + strings.Repeat("a", 100000) + " HTTP/1.1\r\n" + end, "431"},
		{strings.Repeat("a", 100000), "431"},
		{"GET /livez HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 5000) + end, "431"},
		{"GET /livez HTTP/1.1\r\nX: " + strings.Repeat("y", 100000) + "\r\n" + end, "431"},
	} {
		answer := say(t, address, c.request)
		if !strings.HasPrefix(answer, "HTTP/1.1 "+c.status+" ") || strings.Count(answer, "HTTP/1.1 ") != 1 {
			t.Errorf("%.60q: %.80q", c.request, answer)
		}
	}
}

func TestPipelinedRequests(t *testing.T) {
	answer := say(t, serve(t, "127.0.0.1:0"), strings.Repeat("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 40)+
		"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"+"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if n := strings.Count(answer, "HTTP/1.1 200 OK"); n != 42 || !strings.HasSuffix(answer, "ok") {
		t.Errorf("%d answers", n)
	}
}

// Requests cut anywhere, with time between, are the same requests.
func TestBytesOneByOne(t *testing.T) {
	conn, err := net.Dial("tcp", serve(t, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, b := range []byte("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	answer, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Errorf("%q", answer)
	}
}

// One that never ends its head loses its place, and one that never reads its answer does not keep others waiting.
func TestSlowOnes(t *testing.T) {
	t.Parallel()
	address := serve(t, "127.0.0.1:0")
	for range 8 {
		deaf, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer deaf.Close()
		_ = deaf.(*net.TCPConn).SetReadBuffer(2048)
		_, _ = io.WriteString(deaf, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200))
	}
	slow, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	_, err = io.WriteString(slow, "GET /livez HTTP/1.1\r\nX: ")
	for stop := time.Now().Add(5 * time.Minute); err == nil && time.Now().Before(stop); time.Sleep(200 * time.Millisecond) {
		_, err = io.WriteString(slow, "a")
	}
	if err == nil {
		t.Error("a head without end is still read after five minutes")
	}
	client := &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{}}
	if body, err := fetch(client, "http://"+address+"/livez"); string(body) != "ok" {
		t.Error(string(body), err)
	}
}

// 1,000 connections that say nothing or half a request: a scraper gets its answer all the same.
func TestThousandConnections(t *testing.T) {
	t.Parallel()
	address := serve(t, "127.0.0.1:0")
	var wait sync.WaitGroup
	stop := make(chan struct{})
	for i := range 1000 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			conn, err := (&net.Dialer{Timeout: 60 * time.Second}).Dial("tcp", address)
			if err != nil {
				return
			}
			defer conn.Close()
			if i%3 == 0 {
				_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\n")
			}
			<-stop
		}()
	}
	time.Sleep(500 * time.Millisecond)
	client := &http.Client{Timeout: 120 * time.Second, Transport: &http.Transport{}}
	begun := time.Now()
	if body, err := fetch(client, "http://"+address+"/metrics"); !bytes.Contains(body, []byte("process_start_time_seconds ")) {
		t.Errorf("the answer is not whole: %d bytes, %v", len(body), err)
	}
	t.Logf("answered after %v", time.Since(begun))
	close(stop)
	wait.Wait()
}

// fetch asks until it is let in: one that is slow to ask gives its place to others while all are taken.
func fetch(client *http.Client, url string) ([]byte, error) {
	var last error
	for range 20 {
		response, err := client.Get(url)
		if err == nil {
			defer response.Body.Close()
			return io.ReadAll(response.Body)
		}
		last = err
	}
	return nil, last
}

// Many whole scrapes (KM_SCRAPES, else 250), 50 at a time: each is answered.
func TestManyScrapes(t *testing.T) {
	t.Parallel()
	address := serve(t, "127.0.0.1:0")
	work := make(chan int)
	var wait sync.WaitGroup
	for range 50 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			client := &http.Client{Timeout: 120 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			for range work {
				body, err := fetch(client, "http://"+address+"/metrics")
				if err != nil || !bytes.Contains(body, []byte("process_start_time_seconds ")) {
					t.Error(len(body), err)
				}
			}
		}()
	}
	scrapes, err := strconv.Atoi(os.Getenv("KM_SCRAPES"))
	if err != nil {
		scrapes = 250
	}
	for i := range scrapes {
		work <- i
	}
	close(work)
	wait.Wait()
}
