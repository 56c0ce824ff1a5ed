// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
)

// The lists are made once, in the pages that both programs ask for. Objects
// have the fields and about the size of a real server's.

const (
	namespaceCount = 30000
	podCount       = 10000
	pageSize       = 500
)

// list is one collection: its whole, and its pages by continue token.
type list struct {
	whole []byte
	pages [][]byte
}

func makeList(count int, head string, tail string, item func(out *bytes.Buffer, i int)) list {
	render := func(from, to int) []byte {
		var out bytes.Buffer
		meta := `{"resourceVersion":"123456"}`
		if to < count {
			meta = fmt.Sprintf(`{"resourceVersion":"123456","continue":"%d","remainingItemCount":%d}`, to/pageSize, count-to)
		}
		out.WriteString(strings.Replace(head, "METADATA", meta, 1))
		for i := from; i < to; i++ {
			if i > from {
				out.WriteByte(',')
			}
			item(&out, i)
		}
		out.WriteString(tail)
		return out.Bytes()
	}
	made := list{whole: render(0, count)}
	for from := 0; from < count; from += pageSize {
		made.pages = append(made.pages, render(from, min(from+pageSize, count)))
	}
	return made
}

const tableHead = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":METADATA,"columnDefinitions":[` +
	`{"name":"Name","type":"string","format":"name","description":"Name must be unique within a namespace.","priority":0},` +
	`{"name":"Status","type":"string","format":"","description":"The status of the namespace","priority":0},` +
	`{"name":"Age","type":"string","format":"","description":"CreationTimestamp is a timestamp","priority":0}],"rows":[`

func namespaceRow(out *bytes.Buffer, i int) {
	fmt.Fprintf(out, `{"cells":["namespace-%05d","Active","5m"],"object":{"kind":"PartialObjectMetadata",`+
		`"apiVersion":"meta.k8s.io/v1","metadata":{"name":"namespace-%05d","uid":"6b1a4ec4-26a6-4b4c-9d1a-%012d",`+
		`"resourceVersion":"%d","creationTimestamp":"2026-01-02T03:04:05Z","labels":{"kubernetes.io/metadata.name":"namespace-%05d"},`+
		`"managedFields":[{"manager":"filler","operation":"Update","apiVersion":"v1","time":"2026-01-02T03:04:05Z",`+
		`"fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:kubernetes.io/metadata.name":{}}}}}]}}}`,
		i, i, i, i+1000, i)
}

func pod(out *bytes.Buffer, i int) {
	fmt.Fprintf(out, podText, i/5, i, i/50, i, i+1000, i/5, i%250, i%250, i%200, i/200%250, i%200, i/200%250)
}

const podText = `{"metadata":{"name":"web-%05d-%05d","namespace":"team-%03d","uid":"6b1a4ec4-26a6-4b4c-9d1a-%012d",` +
	`"resourceVersion":"%d","generation":1,"creationTimestamp":"2026-01-02T03:04:05Z","labels":{"app":"web","pod-template-hash":"5d8f7c9b6d","tier":"front"},` +
	`"annotations":{"example.com/checksum":"0123456789abcdef0123456789abcdef","example.com/note":"a <note> & more"},` +
	`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-%05d","uid":"0b1a4ec4-26a6-4b4c-9d1a-5d8f7c9b6d00","controller":true,"blockOwnerDeletion":true}],` +
	`"managedFields":[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-01-02T03:04:05Z","fieldsType":"FieldsV1",` +
	`"fieldsV1":{"f:metadata":{"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:pod-template-hash":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"0b1a\"}":{}}},` +
	`"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:protocol":{}}},"f:resources":{},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},` +
	`"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:terminationGracePeriodSeconds":{}}}}]},` +
	`"spec":{"volumes":[{"name":"kube-api-access-x","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},` +
	`{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}],` +
	`"containers":[{"name":"main","image":"registry.example/web:1","ports":[{"containerPort":80,"protocol":"TCP"}],"env":[{"name":"MODE","value":"production"},{"name":"LEVEL","value":"info"}],` +
	`"resources":{"limits":{"cpu":"500m","memory":"128Mi"},"requests":{"cpu":"100m","memory":"64Mi"}},"volumeMounts":[{"name":"kube-api-access-x","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],` +
	`"livenessProbe":{"httpGet":{"path":"/healthz","port":80,"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},` +
	`"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],` +
	`"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"default","serviceAccount":"default","nodeName":"node-%03d",` +
	`"securityContext":{},"schedulerName":"default-scheduler","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},` +
	`{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"},` +
	`"status":{"phase":"Running","conditions":[{"type":"Initialized","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-02T03:04:05Z"},` +
	`{"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-02T03:04:09Z"},{"type":"PodScheduled","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-02T03:04:05Z"}],` +
	`"hostIP":"10.0.0.%d","podIP":"10.%d.%d.1","podIPs":[{"ip":"10.%d.%d.1"}],"startTime":"2026-01-02T03:04:05Z","qosClass":"Burstable",` +
	`"containerStatuses":[{"name":"main","state":{"running":{"startedAt":"2026-01-02T03:04:08Z"}},"lastState":{},"ready":true,"restartCount":0,"image":"registry.example/web:1","imageID":"registry.example/web@sha256:0123","containerID":"containerd://0123","started":true}]}}`

func makeNamespaces() list {
	return makeList(namespaceCount, tableHead, "]}", namespaceRow)
}

func makePods() list {
	return makeList(podCount, `{"kind":"PodList","apiVersion":"v1","metadata":METADATA,"items":[`, "]}", pod)
}
