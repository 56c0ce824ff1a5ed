// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// servedResource is one that the server has.
type servedResource struct {
	group, version, plural, singular, kind string
	namespaced                             bool
	short, categories, subs                []string
}

var served = []servedResource{
	{"", "v1", "pods", "pod", "Pod", true, []string{"po"}, []string{"all"}, []string{"status", "eviction"}},
	{"", "v1", "nodes", "node", "Node", false, []string{"no"}, nil, []string{"status"}},
	{"apps", "v1", "deployments", "deployment", "Deployment", true, []string{"deploy"}, []string{"all"}, []string{"scale", "status"}},
	{"metrics.example.com", "v1beta1", "nodes", "", "NodeMetrics", false, nil, nil, nil},
	{"shop.example.com", "v2", "carts", "cart", "Cart", true, []string{"ca"}, []string{"all", "shop"}, nil},
	{"shop.example.com", "v1", "carts", "cart", "Cart", true, []string{"ca"}, []string{"all"}, nil},
	{"shop.example.com", "v1", "baskets", "basket", "Basket", false, nil, nil, nil},
	{strings.Repeat("long.", 48) + "example.com", "v1", "a", "a", "A", true, nil, nil, nil},
}

var verbs = []string{"create", "get", "list"}

// form is how a server tells what it has.
type form struct {
	name       string
	aggregated map[string]string // by path, the version of the aggregated answer
	stale      string            // a group version
	broken     string            // a group version whose own document fails
	noCore     bool              // /api is not there
	noKind     bool              // a resource without a kind
}

func (f form) groups(path string) []string {
	var names []string
	for _, r := range served {
		if (r.group == "") == (path == "/api") && !slices.Contains(names, r.group) {
			names = append(names, r.group)
		}
	}
	return names
}

func versionsOf(group string) []string {
	var versions []string
	for _, r := range served {
		if r.group == group && !slices.Contains(versions, r.version) {
			versions = append(versions, r.version)
		}
	}
	return versions
}

func (f form) whole(path string) any {
	list := apidiscovery.APIGroupDiscoveryList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/" + f.aggregated[path]}}
	for _, group := range f.groups(path) {
		item := apidiscovery.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: group}}
		for _, version := range versionsOf(group) {
			one := apidiscovery.APIVersionDiscovery{Version: version, Freshness: apidiscovery.DiscoveryFreshnessCurrent}
			if f.stale == group+"/"+version {
				one.Freshness = apidiscovery.DiscoveryFreshnessStale
			}
			for _, r := range served {
				if r.group == group && r.version == version {
					one.Resources = append(one.Resources, f.resource(r))
				}
			}
			item.Versions = append(item.Versions, one)
		}
		list.Items = append(list.Items, item)
	}
	return list
}

func (f form) resource(r servedResource) apidiscovery.APIResourceDiscovery {
	scope := apidiscovery.ScopeCluster
	if r.namespaced {
		scope = apidiscovery.ScopeNamespace
	}
	kind := &metav1.GroupVersionKind{Group: r.group, Version: r.version, Kind: r.kind}
	if f.noKind && r.plural == "baskets" {
		kind = nil
	}
	out := apidiscovery.APIResourceDiscovery{Resource: r.plural, ResponseKind: kind, Scope: scope, SingularResource: r.singular,
		Verbs: verbs, ShortNames: r.short, Categories: r.categories}
	for _, sub := range r.subs {
		out.Subresources = append(out.Subresources, apidiscovery.APISubresourceDiscovery{Subresource: sub, ResponseKind: kind, Verbs: []string{"get"}})
	}
	return out
}

// plain gives the older documents.
func (f form) plain(path string) any {
	if path == "/api" {
		return metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}
	}
	if path == "/apis" {
		list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
		for _, name := range f.groups(path) {
			group := metav1.APIGroup{Name: name}
			for _, version := range versionsOf(name) {
				group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: name + "/" + version, Version: version})
			}
			group.PreferredVersion = group.Versions[0]
			list.Groups = append(list.Groups, group)
		}
		return list
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	group, version := "", parts[1]
	if parts[0] == "apis" {
		group, version = parts[1], parts[2]
	}
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList"}, GroupVersion: schema.GroupVersion{Group: group, Version: version}.String()}
	for _, r := range served {
		if r.group != group || r.version != version {
			continue
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: r.plural, SingularName: r.singular, Namespaced: r.namespaced,
			Kind: r.kind, Verbs: verbs, ShortNames: r.short, Categories: r.categories})
		for _, sub := range r.subs {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: r.plural + "/" + sub, Namespaced: r.namespaced, Kind: r.kind, Verbs: []string{"get"}})
		}
	}
	return list
}

func (f form) serve(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if f.noCore && path == "/api" || f.broken != "" && strings.HasSuffix(path, f.broken) {
		writeJSON(w, map[bool]int{true: 404, false: 503}[path == "/api"], "{}")
		return
	}
	answer, kind := f.plain(path), "application/json"
	if version := f.aggregated[path]; version != "" && strings.Contains(r.Header.Get("Accept"), "v="+version+";as=APIGroupDiscoveryList") {
		answer, kind = f.whole(path), "application/json;g=apidiscovery.k8s.io;v="+version+";as=APIGroupDiscoveryList"
	}
	text, _ := json.Marshal(answer)
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text)
}

func both(version string) map[string]string {
	return map[string]string{"/api": version, "/apis": version}
}

var forms = []form{
	{name: "aggregated", aggregated: both("v2")},
	{name: "aggregated, older", aggregated: both("v2beta1")},
	{name: "plain"},
	{name: "one of two aggregated", aggregated: map[string]string{"/apis": "v2"}},
	{name: "a stale version", aggregated: both("v2"), stale: "metrics.example.com/v1beta1"},
	{name: "a version that fails", broken: "metrics.example.com/v1beta1"},
	{name: "without the core group", noCore: true},
	{name: "a resource without a kind", aggregated: both("v2"), noKind: true},
}

func reference(t *testing.T, config string) *discovery.DiscoveryClient {
	t.Helper()
	settings, err := clientcmd.BuildConfigFromFlags("", config)
	if err != nil {
		t.Fatal(err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(rest.CopyConfig(settings))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func orDash(list []string) string {
	if len(list) == 0 || len(list) == 1 && list[0] == "" {
		return "-"
	}
	return strings.Join(list, ",")
}

// theirs are client-go's resources in our words, without an order.
func theirs(lists []*metav1.APIResourceList) []string {
	var out []string
	for _, list := range lists {
		gv, _ := schema.ParseGroupVersion(list.GroupVersion)
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") {
				continue
			}
			scope := map[bool]string{true: "ns", false: "cluster"}[r.Namespaced]
			var subs []string
			for _, s := range list.APIResources {
				if sub, found := strings.CutPrefix(s.Name, r.Name+"/"); found {
					subs = append(subs, sub)
				}
			}
			out = append(out, fmt.Sprintf("%s/%s %s %s %s %s %s %s %s %s", gv.Group, gv.Version, r.Name, orDash([]string{r.SingularName}), r.Kind, scope,
				orDash(r.Verbs), orDash(r.ShortNames), orDash(r.Categories), orDash(subs)))
		}
	}
	slices.Sort(out)
	return out
}

// discover runs `kubemote-check discovery`.
func discover(t *testing.T, config, folder string, words ...string) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(checker, append([]string{"discovery", config, folder}, words...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// Each form of the documents gives the same resources as client-go finds, and
// the same names mean the same.
func TestDiscoveryAgainstClientGo(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			server := serve(t, false, f.serve)
			config := server.kubeconfig(t, clientcmdapi.AuthInfo{})
			client := reference(t, config)
			_, lists, err := client.ServerGroupsAndResources()
			failed, _ := discovery.GroupDiscoveryFailedErrorGroups(err)
			want := theirs(lists)
			for gv := range failed {
				want = append(want, "failed "+gv.String())
			}
			got := discover(t, config, t.TempDir())
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("client-go:\n%s\nours:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
			}
			sameNames(t, client, config)
		})
	}
}

func sameNames(t *testing.T, client *discovery.DiscoveryClient, config string) {
	t.Helper()
	groups, err := restmapper.GetAPIGroupResources(client)
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewShortcutExpander(restmapper.NewDiscoveryRESTMapper(groups), client, nil)
	for _, name := range []string{"pods", "pod", "po", "no", "nodes", "deploy", "deployments.apps", "deployments.v1.apps", "ca", "cart", "carts", "carts.shop.example.com",
		"carts.v1.shop.example.com", "baskets", "basket", "nodes.metrics.example.com", "nothing", "pods.nothing", ".metrics.example.com", ""} {
		gvr, gr := schema.ParseResourceArg(name)
		var found schema.GroupVersionResource
		err := fmt.Errorf("none")
		if gvr != nil {
			found, err = mapper.ResourceFor(*gvr)
		}
		if err != nil {
			found, err = mapper.ResourceFor(gr.WithVersion(""))
		}
		got := discover(t, config, t.TempDir(), "60", name)[0]
		want := fmt.Sprintf("%s/%s %s ", found.Group, found.Version, found.Resource)
		if (err == nil) != strings.HasPrefix(got, want) || (err != nil) != strings.HasPrefix(got, "the server doesn't have a resource type") {
			t.Errorf("%s: %v %v, ours %s", name, found, err, got)
		}
	}
	for _, kind := range []schema.GroupVersionKind{{Version: "v1", Kind: "Pod"}, {Group: "shop.example.com", Version: "v1", Kind: "Cart"}, {Group: "shop.example.com", Version: "v3", Kind: "Cart"}} {
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		got := discover(t, config, t.TempDir(), "60", kind.Kind+"="+kind.GroupVersion().String())[0]
		if err != nil && !strings.HasPrefix(got, "no matches for kind") {
			t.Errorf("%v: %v, ours %s", kind, err, got)
		}
		if err == nil && !strings.HasPrefix(got, fmt.Sprintf("%s/%s %s ", mapping.Resource.Group, mapping.Resource.Version, mapping.Resource.Resource)) {
			t.Errorf("%v: %v, ours %s", kind, mapping.Resource, got)
		}
	}
}

// The kept answer serves until it is too old or broken; a name that it does
// not have is asked for once more.
func TestDiscoveryIsKept(t *testing.T) {
	server := serve(t, false, forms[0].serve)
	config, folder := server.kubeconfig(t, clientcmdapi.AuthInfo{}), t.TempDir()
	asked := func(words ...string) int {
		server.forget()
		discover(t, config, folder, words...)
		return len(server.seen())
	}
	if first, second := asked("60", "pods"), asked("60", "pods"); first != 2 || second != 0 {
		t.Errorf("%d requests, then %d", first, second)
	}
	if again := asked("60", "nothing"); again != 2 {
		t.Errorf("%d requests for what is not there", again)
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	text, _ := os.ReadFile(files[0])
	for _, broken := range []string{"", "garbage", string(text[:len(text)-1])} {
		if err := os.WriteFile(files[0], []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if again := asked("60", "pods"); again != 2 {
			t.Errorf("%d requests with %.20q kept", again, broken)
		}
	}
}

// Clusters behind one address, told apart by the path, share nothing.
func TestDiscoveryIsKeptByPath(t *testing.T) {
	server := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		for _, prefix := range []string{"/clusters/a", "/clusters/b"} {
			if strings.HasPrefix(r.URL.Path, prefix) {
				http.StripPrefix(prefix, http.HandlerFunc(forms[0].serve)).ServeHTTP(w, r)
				return
			}
		}
		http.NotFound(w, r)
	})
	folder := t.TempDir()
	address := server.URL
	for _, path := range []string{"/clusters/a", "/clusters/b"} {
		server.URL = address + path
		config := server.kubeconfig(t, clientcmdapi.AuthInfo{})
		for again, want := range []int{2, 0} {
			server.forget()
			discover(t, config, folder, "60", "pods")
			if got := len(server.seen()); got != want {
				t.Errorf("%s, %d: %d requests, want %d", path, again, got, want)
			}
		}
	}
	server.URL = address
}
