// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"kubemote.io/tests/cluster/plane"
)

// What the commands look at, besides what every cluster has.
const objects = `
apiVersion: v1
kind: Namespace
metadata: {name: web, labels: {team: "a", example.com/tier: front}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: web, labels: {app: web, tier: front}}
spec: {containers: [{name: main, image: "registry.example/web:1", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: a-pod-with-quite-a-long-name, namespace: web, labels: {app: db}, annotations: {note: "<a & b>"}}
spec: {containers: [{name: main, image: "registry.example/db:1"}, {name: side, image: "registry.example/side:2"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: tricky, namespace: web}
data:
  "9": nine
  "10": ten
  a.b-c_d: "yes"
  bool: "true"
  colon: "a: b"
  dash: "- a"
  empty: ""
  float: "1e3"
  hash: "a #b"
  int: "0o17"
  lines: "first\nsecond\n"
  lines-open: "first\n  second"
  lines-more: "first\nsecond\n\n"
  lines-blank: " first\nsecond\n"
  "null": "~"
  quote: it's "so"
  space: " x "
  star: "*a"
  tab: "a\tb"
  time: "2001-01-01"
  umlaut: "grüße"
  long: "word word word word word word word word word word word word word word word word word word word word word word word word"
  long-quoted: "yes: word word word word word word word word word word word word word word word word word word word word word"
  long-one: "wordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordword"
binaryData: {b: AAECAw==}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: web, labels: {app: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "registry.example/web:1"}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: web}
spec:
  schedule: "0 3 * * *"
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "registry.example/job:1"}]}}}}
---
apiVersion: v1
kind: Node
metadata: {name: box-1, labels: {kubernetes.io/hostname: box-1}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: lamps, singular: lamp, kind: Lamp, shortNames: [lp], categories: [lights]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        x-kubernetes-preserve-unknown-fields: true
    additionalPrinterColumns:
    - {name: Lit, type: boolean, jsonPath: .spec.on}
    - {name: Level, type: number, jsonPath: .spec.level, priority: 1}
`

const lamp = `
apiVersion: example.com/v1
kind: Lamp
metadata: {name: hall, namespace: web}
spec: {on: true, level: 0.5, tiny: 0.000001, big: 100000000000000000000, list: [], map: {}, nothing: null, deep: {a: [[1, 2], [{b: c}]]}}
`

func populate(ctx context.Context) error {
	config, err := cluster.AdminKubeconfig(plane.KubeconfigOptions{})
	if err != nil {
		return err
	}
	apply := func(text string) (string, error) {
		cmd := exec.CommandContext(ctx, theirs, "--kubeconfig", config, "create", "-f", "-")
		cmd.Env = []string{"HOME=" + filepath.Join(scratch, "populate")}
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := apply(objects); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	// The new kind is served a moment after its definition.
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		out, err := apply(lamp)
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
}
