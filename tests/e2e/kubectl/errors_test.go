// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Error answers of every code, with a Status and without one.
func TestErrorAnswers(t *testing.T) {
	bodies := []struct{ name, contentType, body string }{
		{"a Status", "application/json", `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"said the server","reason":"%s","details":{"name":"web","kind":"namespaces"},"code":%d}`},
		{"HTML", "text/html; charset=utf-8", "<html><body>\n\"out of order\"\n</body></html>\n"},
		{"nothing", "", ""},
		{"other JSON", "application/json", `{"error":"no"}`},
	}
	for _, e := range []struct {
		code   int
		reason string
	}{
		{200, "NotFound"}, {201, "Conflict"}, {301, "Moved"}, {400, "BadRequest"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "NotFound"}, {405, "MethodNotAllowed"},
		{406, "NotAcceptable"}, {409, "Conflict"}, {410, "Expired"}, {413, "RequestEntityTooLarge"},
		{415, "UnsupportedMediaType"}, {422, "Invalid"}, {429, "TooManyRequests"}, {500, "InternalError"},
		{503, "ServiceUnavailable"}, {504, "Timeout"},
	} {
		for _, b := range bodies {
			if e.code < 300 && b.name != "a Status" {
				continue
			}
			for _, args := range []string{"get ns", "get ns web", "get deploy -n web -o json"} {
				body := b.body
				if strings.Contains(body, "%d") {
					body = fmt.Sprintf(body, e.reason, e.code)
				}
				header := http.Header{}
				if b.contentType != "" {
					header.Set("Content-Type", b.contentType)
				} else {
					header["Content-Type"] = nil
				}
				a := &answer{code: e.code, header: header, body: []byte(body)}
				c := command{args: args, scripted: func(r *http.Request) *answer {
					if strings.HasPrefix(r.URL.Path, "/api/v1/namespaces") || strings.HasPrefix(r.URL.Path, "/apis/apps/v1/") {
						return a
					}
					return nil
				}}
				name := fmt.Sprintf("%d with %s: %s", e.code, b.name, args)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					if text := compare(t, &c); text != "" {
						t.Error(text)
					}
				})
			}
		}
		forms := "with a Status, as HTML, as other JSON, empty"
		if e.code < 300 {
			forms = "with a Status of failure"
		}
		report.row("Error answers", fmt.Sprintf("%d %s, %s", e.code, e.reason, forms), "same")
	}
}
