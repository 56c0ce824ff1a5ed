// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubemote.io/tests/cluster/plane"
)

// call is one request of the library to the server, and what must come of it.
type call struct {
	words  string // of `kubemote-check request`
	body   string
	code   int    // HTTP
	reason string // of the Status, "" for an answer without an error
	holds  string // in the answer's body
}

type verbAnswer struct {
	HTTP   int    `json:"http"`
	Reason string `json:"reason"`
	Body   string `json:"body"`
	Words  string `json:"words"`
	Causes []struct{ Type, Message, Field string }
}

func request(t *testing.T, config string, c call) verbAnswer {
	t.Helper()
	args := append([]string{"request"}, strings.Fields(c.words)...)
	if c.body != "" {
		args = append(args, "--body", writeFile(t, c.body))
	}
	out, _ := exec.CommandContext(t.Context(), filepath.Join(root, "build/linux/kubemote-check"), append(args, "--send", config)...).Output()
	line, _, _ := strings.Cut(string(out), "\n")
	var got verbAnswer
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%s: %v in %q", c.words, err, out)
	}
	return got
}

const verbsPod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"verbs","labels":{"verbs":"yes"}},` +
	`"spec":{"schedulerName":"nobody","containers":[{"name":"a","image":"b"}]}}`
const verbsMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"verbs","labels":{"verbs":"yes"}},"data":{"a":"1"}}`
const verbsDeployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"verbs"},"spec":{"replicas":0,"selector":{"matchLabels":{"a":"verbs"}},` +
	`"template":{"metadata":{"labels":{"a":"verbs"}},"spec":{"containers":[{"name":"a","image":"b"}]}}}}`

// Every verb, patch type and subresource on the real server, in order.
func TestVerbs(t *testing.T) {
	config, err := cluster.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const table = "application/json;as=Table;v=v1;g=meta.k8s.io"
	const maps = " v1/configmaps --namespace default "
	for _, c := range []call{
		{words: "create" + maps + "--dryRun All", body: verbsMap, code: 201, holds: `"name":"verbs"`},
		{words: "get" + maps + "--name verbs", code: 404, reason: "NotFound"},
		{words: "create" + maps + "--fieldManager me --fieldValidation Strict", body: strings.Replace(verbsMap, `"data"`, `"date"`, 1), code: 400, reason: "BadRequest"},
		{words: "create" + maps + "--fieldManager me", body: verbsMap, code: 201, holds: `"manager":"me"`},
		{words: "create" + maps, body: verbsMap, code: 409, reason: "AlreadyExists"},
		{words: "get" + maps + "--name verbs --accept application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", code: 200, holds: `"kind":"PartialObjectMetadata"`},
		{words: "list" + maps + "--labelSelector verbs=yes --limit 1 --accept " + table, code: 200, holds: `"kind":"Table"`},
		{words: "list" + maps + "--fieldSelector metadata.name=verbs", code: 200, holds: `"a":"1"`},
		{words: "list" + maps + "--fieldSelector spec.a=b", code: 400, reason: "BadRequest"},
		{words: "list" + maps + "--resourceVersionMatch Exact", code: 422, reason: "Invalid"},
		{words: "watch" + maps + "--fieldSelector metadata.name=verbs --timeoutSeconds 1", code: 200, holds: `"type":"ADDED"`},
		{words: "update" + maps + "--name verbs", body: strings.Replace(verbsMap, `"1"`, `"2"`, 1), code: 200, holds: `"a":"2"`},
		{words: "update" + maps + "--name verbs", body: strings.Replace(verbsMap, `"name"`, `"resourceVersion":"1","name"`, 1), code: 409, reason: "Conflict"},
		{words: "patch" + maps + "--name verbs --type json", body: `[{"op":"test","path":"/data/a","value":"9"}]`, code: 422, reason: "Invalid"},
		{words: "patch" + maps + "--name verbs --type json", body: `[{"op":"test","path":"/data/a","value":"2"},{"op":"add","path":"/data/b","value":"3"}]`, code: 200, holds: `"b":"3"`},
		{words: "patch" + maps + "--name verbs --type merge", body: `{"data":{"b":null}}`, code: 200, holds: `"data":{"a":"2"}`},
		{words: "patch" + maps + "--name verbs --type strategic", body: `{"data":{"$patch":"replace","c":"4"}}`, code: 200, holds: `"data":{"c":"4"}`},
		{words: "patch" + maps + "--name verbs --type apply --fieldManager other", body: strings.Replace(verbsMap, `"a":"1"`, `"c":"5"`, 1), code: 409, reason: "Conflict"},
		{words: "patch" + maps + "--name verbs --type apply --fieldManager other --force true", body: strings.Replace(verbsMap, `"a":"1"`, `"c":"5"`, 1), code: 200, holds: `"c":"5"`},
		{words: "patch" + maps + "--name verbs --type merge --fieldManager me --force true", body: `{}`, code: 422, reason: "Invalid"},
		{words: "delete" + maps + "--name verbs --preconditionUID no", code: 409, reason: "Conflict"},
		{words: "delete" + maps + "--name verbs --dryRun All --propagationPolicy Background", code: 200},
		{words: "deletecollection" + maps + "--labelSelector verbs=yes --gracePeriodSeconds 0", code: 200},
		{words: "get" + maps + "--name verbs", code: 404, reason: "NotFound"},
		{words: "create apps/v1/deployments --namespace default", body: verbsDeployment, code: 201},
		{words: "get apps/v1/deployments --namespace default --name verbs --subresource scale", code: 200, holds: `"kind":"Scale"`},
		{words: "patch apps/v1/deployments --namespace default --name verbs --subresource scale --type merge", body: `{"spec":{"replicas":1}}`, code: 200, holds: `"replicas":1`},
		{words: "patch apps/v1/deployments --namespace default --name verbs --subresource status --type merge", body: `{"status":{"observedGeneration":9}}`, code: 200},
		{words: "delete apps/v1/deployments --namespace default --name verbs --propagationPolicy Foreground", code: 200},
		{words: "create v1/pods --namespace default", body: verbsPod, code: 201},
		{words: "create v1/pods --namespace default --name verbs --subresource binding", body: `{"apiVersion":"v1","kind":"Binding","metadata":{"name":"verbs"},"target":{"kind":"Node","name":"node-that-is-not"}}`, code: 201},
		{words: "create v1/pods --namespace default --name verbs --subresource eviction", body: `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"verbs"}}`, code: 201},
		{words: "delete v1/pods --namespace default --name verbs --gracePeriodSeconds 0", code: 200},
		{words: "create v1/serviceaccounts --namespace default --name default --subresource token", body: `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":600}}`, code: 201, holds: `"token":"`},
		{words: "raw /version", code: 200, holds: `"gitVersion"`},
		{words: "raw /readyz?verbose", code: 200, holds: "readyz check passed"},
		{words: "raw /nothing/here", code: 404, reason: "NotFound"},
		{words: "update v1/pods --namespace default --name verbs --subresource status", body: "no json", code: 400, reason: "BadRequest"},
	} {
		got := request(t, config, c)
		if got.HTTP != c.code || got.Reason != c.reason || !strings.Contains(got.Body, c.holds) {
			t.Errorf("%s: %+v; expected %d %s %s", c.words, got, c.code, c.reason, c.holds)
		}
	}
}

// A conflict of server-side apply says which fields, in its causes.
func TestApplyConflictNamesFields(t *testing.T) {
	config, err := cluster.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		t.Fatal(err)
	}
	apply := "patch v1/configmaps --namespace default --name fields --type apply --fieldManager "
	text := strings.ReplaceAll(verbsMap, "verbs", "fields")
	request(t, config, call{words: apply + "one", body: text})
	got := request(t, config, call{words: apply + "two", body: strings.Replace(text, `"1"`, `"2"`, 1)})
	if len(got.Causes) != 1 || got.Causes[0].Type != "FieldManagerConflict" || got.Causes[0].Field != ".data.a" {
		t.Errorf("%+v", got)
	}
	request(t, config, call{words: "delete v1/configmaps --namespace default --name fields"})
}

// Pages of the real server join to what kubectl lists.
func TestPages(t *testing.T) {
	config, err := cluster.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(root, "build/linux/kubemote-check"), "pages", config, "serviceaccounts", "7").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	names := strings.Fields(live(t, theirs, "default", "", step{args: "get sa -A --no-headers -o custom-columns=A:.metadata.name"}).stdout)
	var got []string
	for _, line := range lines[:len(lines)-1] {
		// live hides the namespace's name.
		got = append(got, strings.ReplaceAll(strings.TrimPrefix(line, "item "), "default", "NAMESPACE"))
	}
	slices.Sort(names)
	slices.Sort(got)
	if !slices.Equal(got, names) || !strings.HasSuffix(lines[len(lines)-1], " paginated") {
		t.Errorf("%d of %d, %s", len(got), len(names), lines[len(lines)-1])
	}
}
