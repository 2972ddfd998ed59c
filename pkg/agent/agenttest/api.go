// SPDX-License-Identifier: Apache-2.0

// Package agenttest has fakes of the agent's sources: an API server with pods, an engine's CRI, and Docker.
package agenttest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// API is an API server with the pods of one node. It allows only the requests that a kubelet may make.
type API struct {
	t      testing.TB
	node   string
	server *httptest.Server

	mu       sync.Mutex
	old      bool // does not support streaming lists
	down     bool
	token    string // required from clients
	version  int
	oldest   int // versions up to this one are expired
	pods     map[string]*metav1.PartialObjectMetadata
	events   []event
	changed  chan struct{} // closed at the next event
	watching map[*http.Request]func()
	lists    int // lists answered, streamed or not
}

type event struct {
	version int
	kind    watch.EventType
	pod     *metav1.PartialObjectMetadata
}

// NewAPI starts a server. If old is set, it refuses to stream lists.
func NewAPI(t testing.TB, node string, old bool) *API {
	a := &API{
		t: t, node: node, old: old, version: 1, pods: map[string]*metav1.PartialObjectMetadata{},
		changed: make(chan struct{}), watching: map[*http.Request]func(){},
	}
	a.server = httptest.NewUnstartedServer(a)
	a.server.EnableHTTP2 = true
	a.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.server.StartTLS()
	t.Cleanup(func() {
		a.Drop()
		a.server.Close()
	})
	return a
}

// Kubeconfig writes a kubeconfig for the server, and returns its path.
func (a *API) Kubeconfig() string {
	a.t.Helper()
	path := filepath.Join(a.t.TempDir(), "kubeconfig")
	a.WriteKubeconfig(path)
	return path
}

// WriteKubeconfig writes a kubeconfig with the current token.
func (a *API) WriteKubeconfig(path string) {
	a.t.Helper()
	a.mu.Lock()
	token := a.token
	a.mu.Unlock()
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw,
	}))
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": [{"name": "c", "cluster": {"server": %q, "certificate-authority-data": %q}}],
		"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {"token": %q}}]}`, a.server.URL, ca, token)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// Pod returns the metadata of a pod.
func Pod(uid string, labels map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"},
		ObjectMeta: metav1.ObjectMeta{Name: "pod-" + uid, Namespace: "default", UID: types.UID(uid), Labels: labels},
	}
}

// Put creates or changes a pod.
func (a *API) Put(pod *metav1.PartialObjectMetadata) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kind := watch.Added
	if a.pods[string(pod.UID)] != nil {
		kind = watch.Modified
	}
	a.change(kind, string(pod.UID), pod)
}

// Delete deletes a pod.
func (a *API) Delete(uid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.change(watch.Deleted, uid, a.pods[uid])
}

func (a *API) change(kind watch.EventType, uid string, pod *metav1.PartialObjectMetadata) {
	pod = pod.DeepCopy()
	a.version++
	pod.ResourceVersion = strconv.Itoa(a.version)
	if kind == watch.Deleted {
		delete(a.pods, uid)
	} else {
		a.pods[uid] = pod
	}
	a.events = append(a.events, event{a.version, kind, pod})
	close(a.changed)
	a.changed = make(chan struct{})
}

// Forget ends all watches as expired, and expires all versions.
func (a *API) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.oldest = a.version
	a.events = nil
	close(a.changed)
	a.changed = make(chan struct{})
}

// Drop closes all connections.
func (a *API) Drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, cut := range a.watching {
		cut()
	}
	a.server.CloseClientConnections()
}

// SetDown makes all requests fail, or succeed again.
func (a *API) SetDown(down bool) {
	a.mu.Lock()
	a.down = down
	a.mu.Unlock()
	if down {
		a.Drop()
	}
}

// SetToken changes the token required from clients, and closes all connections.
func (a *API) SetToken(token string) {
	a.mu.Lock()
	a.token = token
	a.mu.Unlock()
	a.Drop()
}

// Lists returns the number of lists that were answered.
func (a *API) Lists() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lists
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	a.mu.Lock()
	down, old, token := a.down, a.old, a.token
	a.mu.Unlock()
	switch {
	case down:
		fail(w, apierrors.NewServiceUnavailable("down"))
	case token != "" && r.Header.Get("Authorization") != "Bearer "+token:
		fail(w, apierrors.NewUnauthorized("who is that?"))
	case r.Method != http.MethodGet || r.URL.Path != "/api/v1/pods" ||
		query.Get("fieldSelector") != "spec.nodeName="+a.node:
		a.t.Errorf("the API server was asked for %s %s", r.Method, r.URL)
		fail(w, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", nil))
	case !strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata"):
		a.t.Errorf("whole pods were asked for: %s", r.Header.Get("Accept"))
		fail(w, apierrors.NewBadRequest("too much"))
	case query.Get("watch") == "":
		a.list(w, query.Get("resourceVersion"))
	case query.Get("sendInitialEvents") != "" && old:
		fail(w, apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil))
	default:
		a.watch(w, r, query.Get("resourceVersion"), query.Get("sendInitialEvents") == "true")
	}
}

func (a *API) list(w http.ResponseWriter, from string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if version, _ := strconv.Atoi(from); version > 0 && version < a.oldest {
		fail(w, apierrors.NewResourceExpired("too old"))
		return
	}
	a.lists++
	list := metav1.PartialObjectMetadataList{
		TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadataList"},
	}
	list.ResourceVersion = strconv.Itoa(a.version)
	for _, uid := range slices.Sorted(maps.Keys(a.pods)) {
		list.Items = append(list.Items, *a.pods[uid])
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

func (a *API) watch(w http.ResponseWriter, r *http.Request, from string, initial bool) {
	ended := make(chan struct{})
	var once sync.Once
	a.mu.Lock()
	a.watching[r] = func() { once.Do(func() { close(ended) }) }
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.watching, r)
		a.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "application/json")
	send := func(kind watch.EventType, object any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": object})
	}
	at, _ := strconv.Atoi(from)
	a.mu.Lock()
	if initial {
		a.lists++
		for _, pod := range a.pods {
			send(watch.Added, pod)
		}
		end := Pod("", nil)
		end.ObjectMeta = metav1.ObjectMeta{ResourceVersion: strconv.Itoa(a.version),
			Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}
		send(watch.Bookmark, end)
		at = a.version
	}
	a.mu.Unlock()
	for {
		a.mu.Lock()
		if at < a.oldest {
			status := apierrors.NewResourceExpired("too old").ErrStatus
			status.APIVersion, status.Kind = "v1", "Status"
			send(watch.Error, status)
			a.mu.Unlock()
			return
		}
		for _, e := range a.events {
			if e.version > at {
				send(e.kind, e.pod)
				at = e.version
			}
		}
		changed := a.changed
		a.mu.Unlock()
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func fail(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.ErrStatus
	status.APIVersion, status.Kind = "v1", "Status"
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
}
