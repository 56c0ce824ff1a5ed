// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"
)

var kinds = map[string]func() any{
	"Pod":                            func() any { return &corev1.Pod{} },
	"Node":                           func() any { return &corev1.Node{} },
	"Namespace":                      func() any { return &corev1.Namespace{} },
	"ConfigMap":                      func() any { return &corev1.ConfigMap{} },
	"Secret":                         func() any { return &corev1.Secret{} },
	"Service":                        func() any { return &corev1.Service{} },
	"ServiceAccount":                 func() any { return &corev1.ServiceAccount{} },
	"Event":                          func() any { return &eventsv1.Event{} },
	"Lease":                          func() any { return &coordinationv1.Lease{} },
	"CertificateSigningRequest":      func() any { return &certificatesv1.CertificateSigningRequest{} },
	"Deployment":                     func() any { return &appsv1.Deployment{} },
	"CustomResourceDefinition":       func() any { return &extensionsv1.CustomResourceDefinition{} },
	"ValidatingWebhookConfiguration": func() any { return &admissionv1.ValidatingWebhookConfiguration{} },
	"MutatingWebhookConfiguration":   func() any { return &admissionv1.MutatingWebhookConfiguration{} },
}

// field is one line of `kubemote-check kind KIND`.
type field struct {
	path, kind string
	size       int
}

func fieldsOf(t *testing.T, kind string) map[string]field {
	out, err := exec.Command(checker, "kind", kind).Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]field{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		size, _ := strconv.Atoi(words[2])
		fields[words[0]] = field{words[0], words[1], size}
	}
	return fields
}

// Strings that need escapes, within the shortest field.
var texts = []string{"a", "web-1", "é\"x\\", "<&>", "line\n\ttab", "x/y~z", "日本"}

// filler makes objects of which every field of the API is set now and then.
func filler(seed int64) *randfill.Filler {
	return randfill.NewWithSeed(seed).NilChance(0.4).NumElements(0, 2).MaxDepth(20).Funcs(
		func(s *string, c randfill.Continue) { *s = texts[c.Rand.Intn(len(texts))] },
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(int64(c.Rand.Intn(1e6)), resource.BinarySI)
		},
		func(v *intstr.IntOrString, c randfill.Continue) {
			*v = intstr.FromInt32(int32(c.Rand.Intn(9) + 1))
			if c.Rand.Intn(2) == 0 {
				*v = intstr.FromString("25%")
			}
		},
		func(v *metav1.Time, c randfill.Continue) { *v = metav1.Unix(int64(c.Rand.Intn(1e9)+1), 0) },
		func(v *metav1.MicroTime, c randfill.Continue) {
			*v = metav1.MicroTime{Time: time.Unix(int64(c.Rand.Intn(1e9)+1), int64(c.Rand.Intn(1e6))*1000)}
		},
		func(v *metav1.FieldsV1, _ randfill.Continue) { *v = metav1.FieldsV1{Raw: []byte(`{"f:a":{}}`)} },
		func(v *runtime.RawExtension, _ randfill.Continue) {
			*v = runtime.RawExtension{Raw: []byte(`{"a":[1]}`)}
		},
		func(v *extensionsv1.JSONSchemaProps, _ randfill.Continue) {
			*v = extensionsv1.JSONSchemaProps{Type: "object", Properties: map[string]extensionsv1.JSONSchemaProps{"a\"b": {Type: "string"}}}
		},
	)
}

// keep returns what the record of a kind holds of a value at a path: its
// fields, the longest that fit. seen notes which fields said something.
func keep(fields map[string]field, path string, value any, seen map[string]bool) (any, bool) {
	f, known := fields[path]
	if known && f.kind == "json" {
		text, _ := json.Marshal(value)
		if value == nil || len(text) >= f.size {
			return nil, false
		}
		seen[path] = true
		return value, true
	}
	switch v := value.(type) {
	case map[string]any:
		return keepMap(fields, path, v, seen)
	case []any:
		return keepList(fields, path, v, seen)
	case string:
		// A pointer to an empty text means nothing in the API.
		if !known || len(v) >= f.size || v == "" && !strings.HasSuffix(path, "/*") {
			return nil, false
		}
	}
	if !known || value == nil {
		return nil, false
	}
	seen[path] = true
	return value, true
}

func keepMap(fields map[string]field, path string, v map[string]any, seen map[string]bool) (any, bool) {
	f, isMap := fields[path]
	out := map[string]any{}
	for key, member := range v {
		at := path + "/" + strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
		if isMap && f.kind == "map" {
			at = path + "/*"
		}
		if kept, ok := keep(fields, at, member, seen); ok {
			out[key] = kept
		}
	}
	return out, len(out) > 0 || strings.HasSuffix(path, "/*")
}

func keepList(fields map[string]field, path string, v []any, seen map[string]bool) (any, bool) {
	if f, ok := fields[path]; !ok || f.kind != "list" || len(v) > f.size || len(v) == 0 {
		return nil, false
	}
	out := []any{}
	for _, element := range v {
		if kept, ok := keep(fields, path+"/*", element, seen); ok {
			out = append(out, kept)
		}
	}
	return out, true
}

func decode(t *testing.T, kind string, text []byte) any {
	t.Helper()
	object := kinds[kind]()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(object); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return object
}

// random gives the JSON of an object, apiVersion and kind apart.
func random(t *testing.T, kind string, seed int64) map[string]any {
	object := kinds[kind]()
	filler(seed).Fill(object)
	reflect.ValueOf(object).Elem().FieldByName("TypeMeta").Set(reflect.ValueOf(metav1.TypeMeta{}))
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&whole); err != nil {
		t.Fatal(err)
	}
	return whole
}

// A record takes every field that its list names from what Go's typed objects
// write, and gives back what they read as the same object.
func TestKindsAgainstGo(t *testing.T) {
	const rounds = 100
	seed := rand.Int63()
	if again, err := strconv.ParseInt(os.Getenv("CLIENT_SEED"), 10, 64); err == nil {
		seed = again
	}
	t.Logf("seed %d", seed)
	// Conditions are one record for all kinds; no kind has all of its fields.
	conditions := map[string]bool{}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			fields, seen, passed := fieldsOf(t, kind), map[string]bool{}, 0
			for i := range rounds {
				kept, _ := keep(fields, "", random(t, kind, seed+int64(i)), seen)
				if roundTrip(t, kind, kept) {
					passed++
				}
			}
			t.Logf("%d of %d objects fit", passed, rounds)
			if passed < rounds/10 {
				t.Errorf("only %d of %d objects fit", passed, rounds)
			}
			for path, f := range fields {
				_, condition, shared := strings.Cut(path, "/conditions/*")
				conditions[condition] = conditions[condition] || shared && seen[path]
				if f.kind != "list" && f.kind != "map" && !seen[path] && !shared {
					t.Errorf("%s stands in no object of Go's", path)
				}
			}
		})
	}
	for path, found := range conditions {
		if !found && path != "" {
			t.Errorf("conditions have no %s", path)
		}
	}
}

// setting is what the library was built with.
func setting(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(checker), "include/km_config.h"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "#define "+name+" ")
	var value int
	if _, err := fmt.Sscan(rest, &value); !found || err != nil {
		t.Fatalf("no %s in km_config.h", name)
	}
	return value
}

// isLarge: more tokens or bytes than the library is built for; such an object
// lacks its last fields.
func isLarge(t *testing.T, text []byte) bool {
	t.Helper()
	tokens := 0
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		if end, ok := token.(json.Delim); !ok || end == '{' || end == '[' {
			tokens++
		}
	}
	return tokens > setting(t, "CONFIG_KM_JSON_TOKEN_COUNT") || len(text) > setting(t, "CONFIG_KM_JSON_WINDOW_BYTES")
}

// roundTrip reports false for an object of more tokens than the library is
// built for.
func roundTrip(t *testing.T, kind string, kept any) bool {
	t.Helper()
	text, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "object.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(checker, "kind", kind, path).Output()
	if err != nil {
		why := err.(*exec.ExitError).Stderr
		if bytes.Contains(why, []byte("table full")) || isLarge(t, text) {
			return false
		}
		t.Fatalf("%v: %s\n%s", err, why, text)
	}
	want, got := decode(t, kind, text), decode(t, kind, out)
	meta := reflect.ValueOf(got).Elem().FieldByName("TypeMeta")
	if name := meta.Interface().(metav1.TypeMeta).Kind; name != kind {
		t.Errorf("kind %q", name)
	}
	meta.Set(reflect.ValueOf(metav1.TypeMeta{}))
	if !equality.Semantic.DeepEqual(want, got) {
		t.Fatalf("came back as\n%s\nfrom\n%s", out, text)
	}
	return true
}

// What does not fit is not written back.
func TestKindsRefuseWhatTheyHoldInPart(t *testing.T) {
	value := strings.Repeat("x", 1<<16)
	path := filepath.Join(t.TempDir(), "object.json")
	text := fmt.Sprintf(`{"metadata":{"name":"a"},"data":{"k":%q}}`, value)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(checker, "kind", "ConfigMap", path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "1 values do not fit") {
		t.Errorf("%v: %s", err, out)
	}
}
