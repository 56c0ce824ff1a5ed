// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestHundredCallsMakeOneHandshake(t *testing.T) {
	server := serve(t, true, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, pod) })
	answers := send(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "get v1/pods --namespace n --name p --repeat 100 --qps 1000 --burst 1000")
	last := answers[len(answers)-1]
	if len(answers) != 101 || last.Handshakes != 1 || last.Resumed != 0 || last.Connections != 1 || server.connections != 1 {
		t.Errorf("%d answers, %+v, %d connections on the server", len(answers)-1, last, server.connections)
	}
}

func TestNewConnectionsResume(t *testing.T) {
	server := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		writeJSON(w, 200, pod)
	})
	answers := send(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "get v1/pods --namespace n --name p --repeat 20 --qps 1000 --burst 1000")
	last := answers[len(answers)-1]
	if last.Handshakes != 1 || last.Resumed != 19 || server.connections != 20 {
		t.Errorf("%+v, %d connections on the server", last, server.connections)
	}
}

// Five a second and ten at once, unless a program asks for more.
func TestRateOfRequests(t *testing.T) {
	server := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, pod) })
	begin := time.Now()
	send(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "get v1/pods --namespace n --name p --repeat 13")
	if took := time.Since(begin); took < 550*time.Millisecond {
		t.Errorf("13 requests took %v", took)
	}
}

// ---- answers that are errors ----

// words that a server may send instead of a Status.
var bodies = map[string]string{
	"empty":   "",
	"html":    "<html><body>503 of a proxy</body></html>",
	"json":    `{"kind":"Pod","status":{"phase":"Failure"}}`,
	"half":    `{"kind":"Status","status":"Fail`,
	"success": `{"kind":"Status","apiVersion":"v1","status":"Success","code":200}`,
	"plain":   " it \"said\"\n\tno\\ \x01\n",
	"untyped": "untyped: it \"said\" no\n",
	"long":    strings.Repeat("x", 3000),
	"status": `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"it said \"no\"","reason":"REASON",` +
		`"details":{"name":"p","kind":"pods","retryAfterSeconds":7,"causes":[{"reason":"FieldValueInvalid","message":"bad","field":"spec.a"}]},"code":CODE}`,
	"other reason": `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"m","reason":"NewlyInvented","code":CODE}`,
}

var reasons = map[int]string{400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
	406: "NotAcceptable", 409: "Conflict", 410: "Expired", 413: "RequestEntityTooLarge", 415: "UnsupportedMediaType", 422: "Invalid",
	429: "TooManyRequests", 500: "InternalError", 501: "ServerTimeout", 502: "StorageReadError", 503: "ServiceUnavailable", 504: "Timeout",
	499: "Gone", 498: "AlreadyExists"}

var predicates = map[string]func(error) bool{
	"NotFound": apierrors.IsNotFound, "AlreadyExists": apierrors.IsAlreadyExists, "Conflict": apierrors.IsConflict,
	"Forbidden": apierrors.IsForbidden, "Unauthorized": apierrors.IsUnauthorized, "TooManyRequests": apierrors.IsTooManyRequests,
	"Invalid": apierrors.IsInvalid, "BadRequest": apierrors.IsBadRequest, "MethodNotSupported": apierrors.IsMethodNotSupported,
	"NotAcceptable": apierrors.IsNotAcceptable, "UnsupportedMediaType": apierrors.IsUnsupportedMediaType,
	"RequestEntityTooLarge": apierrors.IsRequestEntityTooLargeError, "InternalError": apierrors.IsInternalError,
	"ServiceUnavailable": apierrors.IsServiceUnavailable, "Timeout": apierrors.IsTimeout, "ServerTimeout": apierrors.IsServerTimeout,
	"StoreReadError": apierrors.IsStoreReadError, "ResourceExpired": apierrors.IsResourceExpired, "Gone": apierrors.IsGone,
}

// Each code with each body, to GET and POST: client-go's error and ours have
// the same code, reason, delay, predicates and words.
func TestErrorAnswersAgainstClientGo(t *testing.T) {
	var code int
	var body string
	server := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
		text := strings.ReplaceAll(strings.ReplaceAll(body, "REASON", reasons[code]), "CODE", strconv.Itoa(code))
		if strings.HasPrefix(text, "{") {
			w.Header().Set("Content-Type", "application/json")
		} else if strings.HasPrefix(text, "untyped") {
			w.Header()["Content-Type"] = nil
		} else if text != "" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		}
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	})
	config := server.kubeconfig(t, clientcmdapi.AuthInfo{})
	reference := goClient(t, config)
	file := writeBody(t, pod)
	for code = range reasons {
		for name, text := range bodies {
			body = text
			label := fmt.Sprintf("%d %s", code, name)
			err := reference.Get().Namespace("n").Resource("pods").Name("p").MaxRetries(0).Do(t.Context()).Error()
			sameError(t, label+" GET", name, err, send(t, config, "get v1/pods --namespace n --name p --retries 0")[0])
			err = reference.Post().Namespace("n").Resource("pods").Body([]byte(pod)).MaxRetries(0).Do(t.Context()).Error()
			sameError(t, label+" POST", name, err, send(t, config, "create v1/pods --namespace n --retries 0 --body "+file)[0])
		}
	}
}

func sameError(t *testing.T, label, body string, err error, got answer) {
	t.Helper()
	var want apierrors.APIStatus
	if !errors.As(err, &want) || got.Error == "" || got.Words != "" {
		t.Errorf("%s: %v, ours %+v", label, err, got)
		return
	}
	status := want.Status()
	if got.Code != status.Code || got.Reason != string(status.Reason) {
		t.Errorf("%s: %d %s, ours %d %s", label, status.Code, status.Reason, got.Code, got.Reason)
	}
	seconds, delay := apierrors.SuggestsClientDelay(err)
	if got.Delay != delay || got.RetryAfterSeconds != seconds {
		t.Errorf("%s: delay %v %d, ours %v %d", label, delay, seconds, got.Delay, got.RetryAfterSeconds)
	}
	var is []string
	for name, predicate := range predicates {
		if predicate(err) {
			is = append(is, name)
		}
	}
	slices.Sort(is)
	slices.Sort(got.Is)
	if !slices.Equal(is, got.Is) {
		t.Errorf("%s: is %v, ours %v", label, is, got.Is)
	}
	if !sameText(got.Message, status.Message) {
		t.Errorf("%s: %q, ours %q", label, status.Message, got.Message)
	}
	if status.Details != nil && len(status.Details.Causes) == 1 && (len(got.Causes) != 1 || got.Causes[0].Type != string(status.Details.Causes[0].Type) ||
		!sameText(got.Causes[0].Message, status.Details.Causes[0].Message)) {
		t.Errorf("%s: %+v, ours %+v", label, status.Details.Causes, got.Causes)
	}
	if body == "status" && (got.Message != status.Message || len(got.Causes) != 1 || got.Causes[0].Field != "spec.a") {
		t.Errorf("%s: %+v", label, got)
	}
}

// Of long texts ours keep the beginning.
func sameText(got, want string) bool {
	if len(want) > 1000 && strings.Count(got, "x") > 100 {
		got, want = strings.ReplaceAll(got, "x", ""), strings.ReplaceAll(want, "x", "")
	}
	return got == want
}

// A redirect is an answer that is not followed: credentials stay here.
func TestRedirectsAreErrors(t *testing.T) {
	elsewhere := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, pod) })
	for _, code := range []int{301, 302, 303, 307, 308} {
		server := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(code)
		})
		got := send(t, server.kubeconfig(t, clientcmdapi.AuthInfo{Token: "secret"}), "get v1/pods --namespace n --name p")[0]
		if got.Error == "" || got.HTTP != code || len(elsewhere.seen()) != 0 {
			t.Errorf("%d: %+v", code, got)
		}
	}
}

// Bodies that are no object, under a code of success.
func TestSuccessWithoutAnObject(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"kind":`} {
		server := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, body) })
		out := pages(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "pods", "0")
		if out.code != 1 || out.stderr == "" {
			t.Errorf("%q: %+v", body, out)
		}
	}
}

// A Status that says anything but Success is an error under a code of success
// too, wherever its kind stands; an object of a kind that is called so is none.
func TestFailureInSuccessAgainstClientGo(t *testing.T) {
	const details = `"details":{"name":"p","kind":"pods","retryAfterSeconds":7,"causes":[{"reason":"FieldValueInvalid","message":"bad","field":"spec.a"}]}`
	answers := map[string]string{
		"status":  `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"no \"p\"","reason":"NotFound",` + details + `,"code":404}`,
		"sorted":  ` {"apiVersion": "v1", "code": 409, ` + details + `, "kind" : "Status", "message": "twice", "reason": "Conflict", "status": "Failure"}`,
		"nothing": `{"kind":"Status","apiVersion":"v1","metadata":{}}`,
		"success": `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"p"}}`,
		"inside":  `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","annotations":{"kind":"Status","apiVersion":"v1"}},"status":{"message":"Status"}}`,
		"text":    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kind"},"data":{"a":"\"kind\":\"Status\""}}`,
	}
	var code int
	var body string
	write := writeJSON
	server := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { write(w, code, body) })
	config := server.kubeconfig(t, clientcmdapi.AuthInfo{})
	reference := goClient(t, config)
	check := func(label, name string) {
		_, err := reference.Get().Namespace("n").Resource("pods").Name("p").Do(t.Context()).Get()
		got := send(t, config, "get v1/pods --namespace n --name p")[0]
		list := pages(t, config, "pods", "0")
		if err == nil {
			// A Success is no object: who waits for one gets an error.
			if got.Error != "" || got.Body != body || (list.code != 0) != (name == "success") {
				t.Errorf("%s: ours %+v, list %+v", label, got, list)
			}
			return
		}
		if got.Error == "" || got.Message != err.Error() || list.code != 1 || !strings.Contains(list.stderr, err.Error()) {
			t.Errorf("%s: %v, ours %+v, list %+v", label, err, got, list)
		}
		sameError(t, label, "", err, got)
	}
	for name, text := range answers {
		body = text
		for _, code = range []int{200, 201, 202} {
			write = writeJSON
			check(fmt.Sprintf("%d %s", code, name), name)
			write = writeBytes
			check(fmt.Sprintf("%d %s, byte by byte", code, name), name)
		}
	}
	write = writeJSON
	code, body = 200, `{"kind":"Status","apiVersion":"example.com/v1","metadata":{"name":"p"},"status":"Failure"}`
	if got := send(t, config, "get example.com/v1/statuses --namespace n --name p")[0]; got.Error != "" || got.Body != body {
		t.Errorf("another group's kind: %+v", got)
	}
	body = answers["status"]
	if got := send(t, config, "raw /api/v1/namespaces/n/pods/p")[0]; got.Error != "" || got.Body != body {
		t.Errorf("raw: %+v", got)
	}
}

// ---- retries ----

type script struct {
	name, verb string
	fail       func(w http.ResponseWriter) // an answer that fails; nil hangs up
}

func withHeader(code int, after string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		writeJSON(w, code, "{}")
	}
}

func hangUp(w http.ResponseWriter) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		connection.Close()
	}
}

func scripts() []script {
	var all []script
	for _, verb := range []string{"get", "create", "update", "patch", "delete"} {
		for _, code := range []int{429, 500, 503, 504, 404, 409} {
			all = append(all, script{fmt.Sprintf("%d, 0 s", code), verb, withHeader(code, "0")},
				script{fmt.Sprintf("%d without a time", code), verb, withHeader(code, "")},
				script{fmt.Sprintf("%d with a date", code), verb, withHeader(code, "Wed, 21 Oct 2026 07:28:00 GMT")})
		}
		all = append(all, script{"closed", verb, hangUp})
	}
	return all
}

// Two failures and then an answer: client-go and we send as often.
func TestRetriesAgainstClientGo(t *testing.T) {
	var left atomic.Int32
	var fail func(http.ResponseWriter)
	server := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		if left.Add(-1) >= 0 {
			fail(w)
			return
		}
		writeJSON(w, 200, pod)
	})
	config := server.kubeconfig(t, clientcmdapi.AuthInfo{})
	reference := goClient(t, config)
	file := writeBody(t, pod)
	for _, s := range scripts() {
		fail = s.fail
		server.forget()
		left.Store(2)
		request := reference.Verb(map[string]string{"get": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}[s.verb]).
			Namespace("n").Resource("pods").MaxRetries(5)
		words := s.verb + " v1/pods --namespace n --retries 5 --qps 1000 --burst 1000"
		if s.verb != "create" {
			request, words = request.Name("p"), words+" --name p"
		}
		if s.verb != "get" && s.verb != "delete" {
			request, words = request.Body([]byte(pod)), words+" --body "+file
		}
		if s.verb == "patch" {
			request, words = request.SetHeader("Content-Type", "application/merge-patch+json"), words+" --type merge"
		}
		wanted := request.Do(t.Context()).Error() == nil
		attempts := len(server.seen())
		server.forget()
		left.Store(2)
		got := send(t, config, words)[0]
		if ours := len(server.seen()); ours != attempts || (got.Error == "") != wanted {
			t.Errorf("%s %s: %d attempts, ours %d, %+v", s.verb, s.name, attempts, ours, got)
		}
	}
}

// The budget is spent and the last refusal comes out.
func TestRetriesEnd(t *testing.T) {
	server := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { withHeader(429, "0")(w) })
	got := send(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "get v1/pods --namespace n --name p --retries 4 --qps 1000 --burst 1000")[0]
	if len(server.seen()) != 5 || got.Reason != "TooManyRequests" {
		t.Errorf("%d requests, %+v", len(server.seen()), got)
	}
}

// ---- time, headers ----

func TestRequestTimesOut(t *testing.T) {
	hold := make(chan struct{})
	server := serve(t, false, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	defer close(hold)
	got := send(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "get v1/pods --namespace n --name p --timeout 200")[0]
	if got.HTTP != 0 || !strings.Contains(got.Words, "did not answer in time") {
		t.Errorf("%+v", got)
	}
}

func TestWarningsAreTold(t *testing.T) {
	server := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Warning", `299 - "old \"kind\"", 299 - "second"`)
		w.Header().Add("Warning", `199 - "not this"`)
		writeJSON(w, 200, pod)
	})
	got := send(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "get v1/pods --namespace n --name p")[0]
	if !slices.Equal(got.Warnings, []string{`old "kind"`, "second"}) {
		t.Errorf("%q", got.Warnings)
	}
}

// identity is what tells who asks.
func identity(header http.Header) map[string][]string {
	out := map[string][]string{}
	for name, values := range header {
		if name == "Authorization" || strings.HasPrefix(name, "Impersonate-") {
			out[name] = values
		}
	}
	return out
}

// The same headers as client-go's, over TLS and to a plain server, which gets
// no secret.
func TestIdentityAgainstClientGo(t *testing.T) {
	users := map[string]clientcmdapi.AuthInfo{
		"token":       {Token: "t0ken"},
		"password":    {Username: "me", Password: "p:w"},
		"impersonate": {Token: "t0ken", Impersonate: "alice", ImpersonateUID: "u1", ImpersonateGroups: []string{"g1", "g 2"}, ImpersonateUserExtra: map[string][]string{"a/b%c": {"x", "y"}}},
	}
	for _, secure := range []bool{true, false} {
		server := serve(t, secure, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, pod) })
		for name, user := range users {
			server.forget()
			config := server.kubeconfig(t, user)
			if err := goClient(t, config).Get().Namespace("n").Resource("pods").Name("p").Do(t.Context()).Error(); err != nil {
				t.Fatal(err)
			}
			send(t, config, "get v1/pods --namespace n --name p --userAgent test/1")
			seen := server.seen()
			want, got := identity(seen[0].Header), identity(seen[1].Header)
			if fmt.Sprint(want) != fmt.Sprint(got) || (!secure && got["Authorization"] != nil) {
				t.Errorf("%s, TLS %v: %v, ours %v", name, secure, want, got)
			}
			if seen[1].UserAgent() != "test/1" {
				t.Error(seen[1].UserAgent())
			}
		}
	}
}

func TestUserAgent(t *testing.T) {
	server := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, pod) })
	send(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "get v1/pods --namespace n --name p")
	if agent := server.seen()[0].UserAgent(); !strings.HasPrefix(agent, "kubemote/") || !strings.Contains(agent, " (linux/") {
		t.Error(agent)
	}
}
