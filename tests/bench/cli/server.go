// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
)

// discovery is the least that both programs need to know.
const discovery = `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[{"metadata":{},"versions":[{"version":"v1","freshness":"Current","resources":[` +
	`{"resource":"namespaces","responseKind":{"group":"","version":"","kind":"Namespace"},"scope":"Cluster","singularResource":"namespace","verbs":["get","list","watch"],"shortNames":["ns"]},` +
	`{"resource":"pods","responseKind":{"group":"","version":"","kind":"Pod"},"scope":"Namespaced","singularResource":"pod","verbs":["get","list","watch"],"shortNames":["po"]}]}]}]}`
const noGroups = `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[]}`
const discoveryType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

func serve(text []byte, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		w.Write(text)
	}
}

func (l *list) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := l.whole
	if limit := r.URL.Query().Get("limit"); limit != "" && limit != "0" {
		page, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		if limit != strconv.Itoa(pageSize) || page >= len(l.pages) {
			http.Error(w, "pages have 500 objects", http.StatusBadRequest)
			return
		}
		text = l.pages[page]
	}
	serve(text, "application/json")(w, r)
}

// startServer answers from memory and writes a kubeconfig for it.
func startServer(config string) (*httptest.Server, error) {
	namespaces, pods := makeNamespaces(), makePods()
	mux := http.NewServeMux()
	mux.HandleFunc("/api", serve([]byte(discovery), discoveryType))
	mux.HandleFunc("/apis", serve([]byte(noGroups), discoveryType))
	mux.Handle("/api/v1/namespaces", &namespaces)
	mux.Handle("/api/v1/pods", &pods)
	server := httptest.NewTLSServer(mux)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(config+".ca", ca, 0o600); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, server.URL, config+".ca")
	return server, os.WriteFile(config, []byte(text), 0o600)
}
