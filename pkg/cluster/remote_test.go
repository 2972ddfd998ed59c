// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// executing returns an API server that fakes running a command in a pod: it sends messages, each to the stream of
// its first byte.
func executing(t *testing.T, requests *[]string, messages ...string) *Remote {
	upgrader := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	return remote(t, func(w http.ResponseWriter, r *http.Request) {
		*requests = append(*requests, r.Method+" "+r.URL.String())
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for _, m := range messages {
			if err := conn.WriteMessage(websocket.BinaryMessage, []byte(m)); err != nil {
				t.Error(err)
			}
		}
		if len(messages) > 0 {
			_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
		}
		_, _, _ = conn.ReadMessage() // until the other side closes
	})
}

const (
	onStdout = "\x01"
	onStderr = "\x02"
	onError  = "\x03"
)

func TestRemote(t *testing.T) {
	node := Node{Name: "n1", Namespace: "runc-trace", Pod: "agent-n1"}
	for _, c := range []struct {
		what           string
		messages       []string
		stdout, stderr string
		err            string
		code           int
	}{
		{"success", []string{onStdout + "a\n", onStderr + "note\n", onStdout + "b\n", onError + `{"status":"Success"}`},
			"a\nb\n", "note\n", "", 0},
		{"an exit code", []string{
			onStderr + "tracectl: not loaded\n",
			onError + `{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}`,
		}, "", "tracectl: not loaded\n", "tracectl ended with exit code 3", 3},
		{"no such program", []string{onError + `{"status":"Failure","reason":"InternalError","message":"exec: \"tracectl\": not found\u001b[2J"}`},
			"", "", `exec: "tracectl": not found\x1b[2J`, 0},
	} {
		var requests []string
		var stdout, stderr bytes.Buffer
		err := executing(t, &requests, c.messages...).Run(t.Context(), node,
			[]string{"exec", "-o=json", "--label=a in (b,c)"}, &stdout, &stderr)
		if stdout.String() != c.stdout || stderr.String() != c.stderr || text(err) != c.err {
			t.Errorf("%s: stdout %q, stderr %q, error %v", c.what, stdout.String(), stderr.String(), err)
		}
		var exit *ExitError
		if ok := errors.As(err, &exit); ok != (c.code != 0) || ok && exit.Code != c.code {
			t.Errorf("%s: error %#v", c.what, err)
		}
		want := []string{"GET /api/v1/namespaces/runc-trace/pods/agent-n1/exec?command=tracectl&command=exec&command=-o%3Djson&command=--label%3Da+in+%28b%2Cc%29&container=agent&stderr=true&stdin=true&stdout=true"}
		if diff := cmp.Diff(want, requests); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", c.what, diff)
		}
	}
}

func TestRemoteEndsWithItsContext(t *testing.T) {
	var requests []string
	r := executing(t, &requests)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := r.Run(ctx, Node{Namespace: "n", Pod: "p"}, nil, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
		t.Error("a run that was given up has no error")
	}
}

func TestRemoteIsRefused(t *testing.T) {
	for _, c := range []struct {
		status metav1.Status
		want   string
	}{
		{
			refusal(metav1.StatusReasonForbidden, http.StatusForbidden,
				`pods "p" is forbidden: User "x" cannot create resource "pods/exec"`),
			`pods "p" is forbidden: User "x" cannot create resource "pods/exec"; ` +
				`bind ClusterRole runc-trace-reader in namespace runc-trace for the right to get and create pods/exec`,
		},
		{refusal(metav1.StatusReasonNotFound, http.StatusNotFound, `pods "p" not found`), `pods "p" not found`},
		{refusal(metav1.StatusReasonInternalError, http.StatusInternalServerError, "error dialing backend: refused\x1b"),
			`unable to upgrade connection: error dialing backend: refused\x1b`},
	} {
		var methods []string
		r := remote(t, func(w http.ResponseWriter, r *http.Request) {
			methods = append(methods, fmt.Sprint(r.Method, " ", strings.ToLower(r.Header.Get("Upgrade"))))
			answer(w, int(c.status.Code), c.status)
		})
		err := r.Run(t.Context(), Node{Namespace: "runc-trace", Pod: "p"}, nil, &bytes.Buffer{}, &bytes.Buffer{})
		if text(err) != c.want {
			t.Errorf("%d: the error is\n%v, want\n%s", c.status.Code, err, c.want)
		}
		if diff := cmp.Diff([]string{"GET websocket", "POST spdy/3.1"}, methods); diff != "" {
			t.Errorf("%d: requests (-want +got):\n%s", c.status.Code, diff)
		}
	}
}
