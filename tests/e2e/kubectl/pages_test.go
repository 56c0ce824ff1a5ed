// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"net/http"
	"strings"
	"testing"
)

// expired answers every page but the first as a server does that has compacted
// the list away.
func expired(r *http.Request) *answer {
	if r.URL.Query().Get("continue") == "" {
		return nil
	}
	return &answer{
		code:   http.StatusGone,
		header: http.Header{"Content-Type": {"application/json"}},
		body:   []byte(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old","reason":"Expired","code":410}`),
	}
}

// kubectl fails; client-go's pager, and we, list again as a whole.
func TestExpiredPages(t *testing.T) {
	c := command{args: "get ns --chunk-size=1 -o wide --no-headers", scripted: expired}
	rec := newRecorder(t, expired)
	paged := runProgram(t, ours, rec, &c, cacheOf(ours))
	whole := runProgram(t, ours, rec, &command{args: "get ns --chunk-size=0 -o wide --no-headers"}, cacheOf(ours))
	if paged != whole || paged.code != 0 || strings.Count(paged.stdout, "\n") < 5 {
		t.Errorf("in pages: %+v\nas a whole: %+v", paged, whole)
	}
	report.row("get", c.name()+" (the second page has expired)", "kubectl fails, kubemote lists again as a whole")
	// What was printed can't be taken back: then it fails as kubectl does.
	each(t, "get", []command{{args: "get ns --chunk-size=1 -o name", scripted: expired}})
}
