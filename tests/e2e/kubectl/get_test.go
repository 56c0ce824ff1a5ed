// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"context"
	"fmt"
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
	})
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
			for _, form := range kindForms {
				report.row("Every kind that the server lists", "get "+name+" "+form, "same")
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				kind(t, name)
			})
		}
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
