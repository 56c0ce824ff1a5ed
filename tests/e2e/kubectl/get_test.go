// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const ownFormats = "the list of formats is kubemote's own"

func TestGet(t *testing.T) {
	each(t, "get", []command{
		{args: "get ns"},
		{args: "get namespaces,services -A"},
		{args: "get svc,ns -A --show-labels"},
		{args: "get all"},
		{args: "get all -A"},
		{args: "get all -n web -o wide"},
		{args: "get all -n web -o name"},
		{args: "get lights -A"},
		{args: "get pods -n web"},
		{args: "get po -n web -o wide"},
		{args: "get pods -n web --no-headers"},
		{args: "get pods,svc -n web --no-headers"},
		{args: "get pods -n web --show-labels"},
		{args: "get pods -n web -L app,example.com/tier -L tier"},
		{args: "get pods -n web -l app=web"},
		{args: "get pods -n web -l app=nothing"},
		{args: "get pods -n web --field-selector metadata.name=web-0"},
		{args: "get pods -n web --chunk-size=1"},
		{args: "get pods -n web --chunk-size=0 -o wide"},
		{args: "get pods -n web --show-kind"},
		{args: "get deploy -n web --show-kind"},
		{args: "get pod web-0 -n web"},
		{args: "get pod/web-0 svc/web -n web"},
		{args: "get pods web-0 a-pod-with-quite-a-long-name -n web"},
		{args: "get pods,svc web web-0 -n web", differs: "a kind is shown in front of names when two types are asked for, even if only one answers"},
		{args: "get pods -n nowhere"},
		{args: "get pods -n nowhere --ignore-not-found"},
		{args: "get ns nosuch"},
		{args: "get ns nosuch --ignore-not-found"},
		{args: "get ns default nosuch"},
		{args: "get ns nosuch default other"},
		{args: "get ns default nosuch -o json"},
		{args: "get ns default nosuch -o name --ignore-not-found"},
		{args: "get ns nosuch -o json --ignore-not-found"},
		{args: "get ns nosuch -o json"},
		{args: "get ns nosuch other -o json"},
		{args: "get pods -n nowhere -o json"},
		{args: "get pods -n nowhere -o yaml"},
		{args: "get pods -n nowhere -o name"},
		{args: "get ns -o json"},
		{args: "get ns -o yaml"},
		{args: "get ns -o name"},
		{args: "get ns default -o json"},
		{args: "get ns default -o yaml"},
		{args: "get ns default -o name"},
		{args: "get ns default kube-system -o json"},
		{args: "get ns default kube-system -o yaml"},
		{args: "get pods,svc -n web -o json"},
		{args: "get pods,svc -n web -o yaml"},
		{args: "get cm tricky -n web -o json"},
		{args: "get cm tricky -n web -o yaml"},
		{args: "get lamps -A -o json"},
		{args: "get lamps -A -o yaml"},
		{args: "get pod web-0 -n web -o json --show-managed-fields"},
		{args: "get pod web-0 -n web -o yaml --show-managed-fields"},
		{args: "get deploy web -n web --subresource status"},
		{args: "get deploy web -n web --subresource scale -o json"},
		{args: "get deploy web -n web --subresource nosuch"},
		{args: "get pods -n web -o json --chunk-size=1"},
		{args: "get --raw /version"},
		{args: "get --raw /readyz"},
		{args: "get --raw /nosuch"},
		{args: "get --raw version"},
		{args: "get --raw /version pods"},
		{args: "get --raw /version -o json"},
		{args: "get nosuch"},
		{args: "get nosuch,pods"},
		{args: "get pods,nosuch a"},
		{args: "get pods.nosuch.example.com"},
		{args: "get deployments.v1.apps -n web"},
		{args: "get deployments.apps -n web"},
		{args: "get Deployment -n web"},
		{args: "get pods -n web web-0 -l app=web"},
		{args: "get pod/web-0 -n web -l app=web"},
		{args: "get pods -A web-0"},
		{args: "get pods a/b c"},
		{args: "get pods/a/b"},
		{args: "get pods/"},
		{args: "get pods -n web --subresource status"},
		{argv: []string{"get", "pods", "-l", "a=%%", "-n", "web"}},
		{argv: []string{"get", "pods", "--field-selector", "spec.nosuch=1", "-n", "web"}},
		{argv: []string{"get", "ns", "a%b"}},
		{argv: []string{"get", "ns", ".."}},
		{args: "get pods -o nosuch", differs: ownFormats},
		{args: "get pods --show-labels -o json"},
		{args: "get pods --output-watch-events"},
		{args: "get pods --nosuch"},
		{args: "get pods -Z"},
		{args: "get pods -w=maybe"},
		{args: "get pods --chunk-size=many"},
		{args: "get pods -n"},
		{args: "get", differs: "kubectl names its explain, which kubemote has not"},
		{argv: []string{"get", ""}},
		{args: "get ,"},
		{args: "get pods,"},
		{args: "get ,pods"},
		{args: "get ns -o JSON"},
		{args: "get ns -o Yaml"},
		{args: "get ns -o NAME"},
		{args: "get ns -o WIDE", differs: ownFormats},
		{args: "get ns -o=", differs: ownFormats},
		{args: "get ns --help=false"},
		{args: "get ns web --subresource="},
		{argv: []string{"get", "ns", "-L", ""}},
		{args: "get pods -Aq"},
		{args: "get pods -n web/x"},
		{args: "get pods -n .."},
		{args: "get pods -n a%b -o json"},
		{args: "get pods web-0 -n a/b"},
		{argv: []string{"get", "--raw", "/a b"}},
		{args: "get --raw /api/v1/namespaces?limit=1"},
		{args: "get pods/web-0 services/nosuch -n web", differs: "a kind is shown in front of names when two types are asked for, even if only one answers"},
		{args: "get ns web default -w", differs: "kubectl prints the objects before it refuses"},
		{args: "get all web -n web", differs: "kubectl takes a category for several types"},
		{args: "get ev -n default", differs: "kubectl warns of other resources with that short name"},
		{args: "get ns web --server-print=false", differs: "tables are always the server's"},
		{args: "get cm nosuch -n nowhere"},
		{args: "get cm/nosuch svc/nosuch -n nowhere -o json"},
		{args: "get cm nosuch -n nowhere --ignore-not-found"},
	})
}

func TestSortBy(t *testing.T) {
	each(t, "get --sort-by", []command{
		{args: "get ns --sort-by=.metadata.uid"},
		{args: "get ns --sort-by={.metadata.uid} -o wide --show-labels"},
		{args: "get ns --sort-by=metadata.resourceVersion --no-headers"},
		{args: "get clusterroles --sort-by=.metadata.uid"},
		{args: "get clusterroles --sort-by=.metadata.name -L kubernetes.io/bootstrapping"},
		{args: "get svc -A --sort-by=.spec.ports[0].port"},
		{args: "get flowschemas --sort-by=.spec.matchingPrecedence -o name"},
		{args: "get ns nosuch --sort-by=.metadata.name"},
		{args: "get pods -n nowhere --sort-by=.metadata.name"},
		{args: "get ns --sort-by=.metadata.labels.team"},
		{args: "get ns -w --sort-by=.metadata.uid", during: touch},
		{args: "get ns -o json --sort-by=.metadata.uid"},
		{args: "get ns -o yaml --sort-by=.metadata.uid"},
		{args: "get ns -o name --sort-by=.metadata.labels.team"},
		{args: "get ns -o json --sort-by=.metadata.nosuch"},
		{args: "get ns -o json --sort-by=.spec.finalizers[0]"},
		{args: "get ns web default kube-system -o json --sort-by=.metadata.uid"},
		{args: "get ns web default kube-system -o name --sort-by=.metadata.uid"},
		{args: "get ns web -o json --sort-by=.metadata.nosuch"},
		{args: "get ns default nosuch -o json --sort-by=.metadata.uid"},
		{args: "get pods,svc,deploy -n web -o json --sort-by=.metadata.name"},
		{args: "get pods,svc,deploy -n web -o name --sort-by=.metadata.name"},
		{args: "get svc -A -o json --sort-by=.spec.ports[0].port"},
		{args: "get clusterroles -o yaml --sort-by=.metadata.uid"},
		{args: "get pods -n nowhere -o json --sort-by=.metadata.name"},
		{args: "get ns -o jsonpath={.items[*].metadata.name} --sort-by=.metadata.uid"},
		{args: "get ns -w -o json --sort-by=.metadata.uid", during: touch},
	})
}

// More objects than are held back are an error that says how many, and nothing is printed.
func TestSortByTooMany(t *testing.T) {
	for name, data := range map[string]string{"many": strings.Repeat("x", 2000), "large": strings.Repeat("x", 300000)} {
		var items []string
		for i := range 600 {
			items = append(items, fmt.Sprintf(`{"metadata":{"name":"cm-%d"},"data":{"a":%q}}`, i, data))
		}
		list := []byte(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[` + strings.Join(items, ",") + "]}")
		rec := newRecorder(t, func(r *http.Request) *answer {
			if !strings.HasSuffix(r.URL.Path, "/configmaps") {
				return nil
			}
			return &answer{200, http.Header{"Content-Type": {"application/json"}}, list}
		})
		out := runProgram(t, ours, rec, &command{args: "get cm -o json --sort-by=.metadata.name"}, cacheOf(ours))
		if out.code != 1 || out.stdout != "" || !strings.Contains(out.stderr, "CONFIG_KM_CLI_SORT_BYTES") {
			t.Errorf("%s: %d, %d bytes, %s", name, out.code, len(out.stdout), out.stderr)
		}
	}
}

func jsonpath(words ...string) command { return command{argv: append([]string{"get"}, words...)} }

func TestJSONPath(t *testing.T) {
	each(t, "get -o jsonpath", []command{
		jsonpath("ns", "-o", "jsonpath={.items[*].metadata.name}"),
		jsonpath("ns", "-o", `jsonpath={.items[1].metadata.name}{"\n"}`),
		jsonpath("ns", "-o", `jsonpath={range .items[*]}{.metadata.name}{"\t"}{.status.phase}{"\n"}{end}{.kind} {.apiVersion}`),
		jsonpath("ns", "--chunk-size=2", "-o", `jsonpath=<{range .items[*]}{@.metadata} {end}>`),
		jsonpath("clusterroles", "-o", `jsonpath={range .items[*]}{.metadata.name}:{range .rules[*]} {.verbs[*]}{"\n"}{end}{end}`),
		jsonpath("ns", "default", "-o", `jsonpath={.metadata.labels.kubernetes\.io/metadata\.name} {.nosuch}|{$.spec.finalizers[0]}`),
		jsonpath("ns", "default", "-o", `jsonpath={.metadata.labels['kubernetes\.io/metadata\.name']}`),
		jsonpath("ns", "default", "-o", "jsonpath={@}"),
		jsonpath("ns", "default", "-o", "jsonpath={.}"),
		jsonpath("ns", "default", "-o", "jsonpath=no path"),
		jsonpath("cm", "tricky", "-n", "web", "-o", "jsonpath={.data.umlaut}{.data.lines}{.data.9}{.data}"),
		jsonpath("pods", "-n", "nowhere", "-o", "jsonpath=a{.items[*].metadata.name}b"),
		jsonpath("ns", "-o", "jsonpath={.}"),
		{argv: []string{"get", "pods", "-n", "nowhere", "-o", "jsonpath={.items[0].metadata.name}"}, differs: "kubectl prints all that it knows besides the error"},
		jsonpath("ns", "default", "-o", "jsonpath"),
		jsonpath("ns", "default", "-o", "jsonpath="),
		jsonpath("ns", "default", "-o", "jsonpath={.a"),
		{argv: []string{"get", "ns", "nosuch", "-o", "jsonpath={.a}"}},
		{argv: []string{"get", "ns", "default", "-w", "-o", "jsonpath={.metadata.name} "}, during: touch},
	})
}

// What kubemote refuses, it names.
func TestJSONPathRefused(t *testing.T) {
	for _, template := range []string{"{.items[?(@.a)]}", "{..name}", "{.items[0:2].kind}", "{.items[*]['a','b']}", "{.items[*].*}",
		"{.items[*].kind}{.items[*].kind}", "{range .items[*]}{.kind}", "{end}", "{.items}", "{@}", "{$}", "{.a}}{", "{\"a}"} {
		t.Run(template, func(t *testing.T) {
			out := runProgram(t, ours, newRecorder(t, nil), &command{argv: []string{"get", "ns", "-o", "jsonpath=" + template}}, cacheOf(ours))
			if out.code != 1 || out.stdout != "" || !strings.HasPrefix(out.stderr, "error: error parsing jsonpath "+template) {
				t.Errorf("%+v", out)
			}
		})
	}
}

// touch changes a ConfigMap while a watch is recorded.
func touch() {
	time.Sleep(time.Second)
	patch := []byte(fmt.Sprintf(`{"metadata":{"annotations":{"touched":%q}}}`, time.Now().String()))
	_, _ = cluster.Client().CoreV1().Namespaces().Patch(context.Background(), "web", types.MergePatchType, patch, metav1.PatchOptions{})
}

func TestGetWatch(t *testing.T) {
	each(t, "get --watch", []command{
		{args: "get ns -w", during: touch},
		{args: "get ns -w -o wide --show-labels", during: touch},
		{args: "get ns --watch-only", during: touch},
		{args: "get ns -w --output-watch-events", during: touch},
		{args: "get ns web -w", during: touch},
		{args: "get ns web --watch-only", during: touch},
		{args: "get ns web -w -o json", during: touch},
		{args: "get ns web -w -o yaml", during: touch},
		{args: "get ns -w -o name", during: touch},
		{args: "get ns -w -o json", during: touch},
		{args: "get ns web -w --output-watch-events -o yaml", during: touch},
		{args: "get ns -w --output-watch-events -o json", during: touch},
		{args: "get ns -w -l team=a", during: touch},
		{args: "get ns nosuch -w"},
		{args: "get ns,pods -w"},
	})
}

// Every kind that the server lists, in every form.
func TestEveryKind(t *testing.T) {
	_, lists, err := cluster.Client().Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, list := range lists {
		group, version := "", list.GroupVersion
		if at := strings.IndexByte(version, '/'); at >= 0 {
			group, version = version[:at], version[at+1:]
		}
		for _, r := range list.APIResources {
			if !has(r.Verbs, "list") {
				continue
			}
			name := fmt.Sprintf("%s.%s.%s", r.Name, version, group)
			if group == "" {
				name = r.Name
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, form := range kindForms {
			report.row("Every kind that the server lists", "get "+name+" "+form, "same")
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind(t, name)
		})
	}
}

var kindForms = []string{"-A -o wide --show-labels", "-A -o json", "-A -o yaml"}

func kind(t *testing.T, name string) {
	for _, form := range kindForms {
		c := command{args: "get " + name + " " + form}
		if text := compare(t, &c); text != "" {
			t.Errorf("%s: %s", form, text)
		}
	}
}

func has(verbs []string, want string) bool {
	for _, v := range verbs {
		if v == want {
			return true
		}
	}
	return false
}
