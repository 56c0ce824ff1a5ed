// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/tools/pager"
)

type outcome struct {
	lines  []string
	stderr string
	code   int
}

// pages runs `kubemote-check pages`.
func pages(t *testing.T, config string, words ...string) outcome {
	t.Helper()
	cmd := exec.Command(checker, append([]string{"pages", config}, words...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	return outcome{strings.Split(strings.TrimSpace(stdout.String()), "\n"), stderr.String(), cmd.ProcessState.ExitCode()}
}

// listServer has 12 ConfigMaps; a page from `expires` on is too old.
func listServer(t *testing.T, expires int) *scripted {
	return serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		limit, at := 12, 0
		if query.Has("limit") {
			fmt.Sscan(query.Get("limit"), &limit)
		}
		if query.Has("continue") {
			fmt.Sscanf(query.Get("continue"), "from%d", &at)
		}
		if expires > 0 && at >= expires {
			writeJSON(w, 410, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old","code":410}`)
			return
		}
		list := corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{Kind: "ConfigMapList", APIVersion: "v1"}}
		list.ResourceVersion = fmt.Sprint(100 + at)
		for ; at < 12 && len(list.Items) < limit; at++ {
			list.Items = append(list.Items, corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("m%d", at)}})
		}
		if at < 12 {
			list.Continue = fmt.Sprintf("from%d", at)
		}
		text, _ := json.Marshal(list)
		writeJSON(w, 200, string(text))
	})
}

// queries are the options of the requests, without time limits.
func queries(server *scripted) []string {
	var out []string
	for _, r := range server.seen() {
		query := r.URL.Query()
		query.Del("timeout")
		out = append(out, query.Encode())
	}
	server.forget()
	return out
}

// The same requests, items and result as client-go's pager, also when a later
// page has become too old.
func TestPagerAgainstClientGo(t *testing.T) {
	for _, c := range []struct {
		limit   int64
		expires int
	}{{5, 0}, {12, 0}, {100, 0}, {1, 0}, {5, 5}, {5, 10}, {4, 8}} {
		server := listServer(t, c.expires)
		config := server.kubeconfig(t, clientcmdapi.AuthInfo{})
		client := goClient(t, config)
		reference := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list := &corev1.ConfigMapList{}
			return list, client.Get().Resource("configmaps").VersionedParams(&options, scheme.ParameterCodec).Do(ctx).Into(list)
		})
		reference.PageSize = c.limit
		object, paginated, err := reference.ListWithAlloc(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want, wanted := queries(server), []string{}
		list, err := meta.ListAccessor(object)
		if err != nil {
			t.Fatal(err)
		}
		_ = meta.EachListItem(object, func(item runtime.Object) error {
			wanted = append(wanted, "item "+item.(metav1.Object).GetName())
			return nil
		})
		out := pages(t, config, "configmaps", fmt.Sprint(c.limit), "restart")
		if at := slices.Index(out.lines, "restart"); at >= 0 {
			out.lines = out.lines[at+1:]
		}
		last := out.lines[len(out.lines)-1]
		if got := queries(server); !slices.Equal(got, want) {
			t.Errorf("%+v: requests %q, ours %q", c, want, got)
		}
		if !slices.Equal(out.lines[:len(out.lines)-1], wanted) {
			t.Errorf("%+v: %q, ours %q", c, wanted, out.lines)
		}
		if strings.HasSuffix(last, " paginated") != paginated || !strings.HasPrefix(last, "list "+list.GetResourceVersion()+" ") {
			t.Errorf("%+v: %s; client-go: %v %s", c, last, paginated, list.GetResourceVersion())
		}
	}
}

// Who keeps what came is told, and not given items twice.
func TestPagerWithoutRestart(t *testing.T) {
	server := listServer(t, 5)
	out := pages(t, server.kubeconfig(t, clientcmdapi.AuthInfo{}), "configmaps", "5")
	if out.code != 1 || len(out.lines) != 5 || !strings.Contains(out.stderr, "too old") || len(server.seen()) != 2 {
		t.Errorf("%+v", out)
	}
}
