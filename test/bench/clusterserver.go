// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runc-trace/runc-trace/pkg/cluster"
)

// Output of a node: an exec of a pod, and a recording in a list.
const (
	execLine = `{"time":%q,"pcomm":"sh","comm":"sleep","pid":20127,"tid":20127,"ppid":19983,"uid":0,"ret":0,"errno":"","path":"/usr/bin/sleep","args":["sleep","1"],` +
		`"truncated":false,"runtime":false,"cpu":1,"cgroupID":7683048,"log":15835219709138,"sequence":%d,"namespace":"default","pod":"web-7d4b9c6f5-x2x7q",` +
		`"podUID":"5f0b8c1e-0000-4000-8000-00000000000a","container":"nginx","containerID":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",` +
		`"sandboxID":"fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210","image":"docker.io/library/nginx:1.29","engine":"containerd",` +
		`"labels":{"app":"web","pod-template-hash":"7d4b9c6f5","tier":"front"}}` + "\n"
	recordingLine = `{"name":"default/web-7d4b9c6f5-%05d/nginx","namespace":"default","pod":"web-7d4b9c6f5-x2x7q","container":"nginx",` +
		`"containerID":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","podUID":"5f0b8c1e-0000-4000-8000-00000000000a",` +
		`"sandboxID":"fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210","sandbox":false,"image":"docker.io/library/nginx:1.29","engine":"containerd",` +
		`"labels":{"app":"web","pod-template-hash":"7d4b9c6f5","tier":"front"},"labelOrigins":{"app":"kubernetes","pod-template-hash":"kubernetes","tier":"kubernetes"},` +
		`"cgroupID":7683048,"state":"running","exitCode":null,"signal":"","created":"2026-11-23T22:54:19.891645638Z","started":"2026-11-23T22:54:19.900533856Z",` +
		`"exited":null,"ended":null,"syscalls":2872,"overwritten":10930,"lost":0,"oldest":"2026-11-23T22:54:19.934105673Z","newest":"2026-11-23T22:54:19.949243653Z","ring":0}` + "\n"
)

const (
	onStdout = "\x01"
	onError  = "\x03"
)

// clusterServer simulates the API server of a cluster until stdin is closed. Each node prints rate execs per second.
func clusterServer(nodes, rate int) error {
	upgrader := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/exec") {
			listPods(w, r, nodes)
			return
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		gone := make(chan struct{})
		go func() {
			for {
				if _, _, err := conn.ReadMessage(); err != nil {
					close(gone)
					return
				}
			}
		}()
		if r.URL.Query()["command"][1] == "exec" {
			printExecs(conn, rate, gone)
			return
		}
		printList(conn)
		<-gone
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	fmt.Println(server.URL)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err // the connections end with the process
}

func listPods(w http.ResponseWriter, r *http.Request, nodes int) {
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
	to := min(from+limit, nodes)
	for i := from; i < to; i++ {
		list.Items = append(list.Items, corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("runc-trace-%05d", i), Namespace: cluster.DefaultNamespace},
			Spec:       corev1.PodSpec{NodeName: fmt.Sprintf("worker-%05d", i)},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning},
		})
	}
	if to < nodes {
		list.Continue = strconv.Itoa(to)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

// printExecs prints a heartbeat and execs, like a node's tracectl.
func printExecs(conn *websocket.Conn, rate int, gone <-chan struct{}) {
	say := func(format string, args ...any) error {
		return conn.WriteMessage(websocket.BinaryMessage, fmt.Appendf([]byte(onStdout), format, args...))
	}
	beat := time.NewTicker(5 * time.Second)
	defer beat.Stop()
	execs := time.NewTicker(time.Second / time.Duration(rate))
	defer execs.Stop()
	now := func() string { return time.Now().Format(time.RFC3339Nano) }
	err := say(`{"heartbeat":%q}`+"\n", now())
	for number := 0; err == nil; {
		select {
		case <-gone:
			return
		case <-beat.C:
			err = say(`{"heartbeat":%q}`+"\n", now())
		case <-execs.C:
			err = say(execLine, now(), number)
			number++
		}
	}
}

// printList prints a list of recordings and exits successfully.
func printList(conn *websocket.Conn) {
	out := []byte(onStdout)
	for i := range recordings {
		if out = fmt.Appendf(out, recordingLine, i); len(out) > 16<<10 || i == recordings-1 {
			if conn.WriteMessage(websocket.BinaryMessage, out) != nil {
				return
			}
			out = out[:1]
		}
	}
	_ = conn.WriteMessage(websocket.BinaryMessage, []byte(onError+`{"status":"Success"}`))
	_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}
