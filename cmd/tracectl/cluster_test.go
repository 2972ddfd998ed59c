// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// replies is a fake tracectl of a node: it maps arguments to a result.
type replies func(args string) result

// fakeCluster is an API server with nodes. A node without replies is not ready.
func fakeCluster(t *testing.T, nodes map[string]replies, pods ...corev1.Pod) (server string, asked func() []string) {
	var mu sync.Mutex
	var calls []string
	upgrader := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := slices.IndexFunc(pods,
			func(p corev1.Pod) bool { return r.URL.Path == "/api/v1/namespaces/"+p.Namespace+"/pods/"+p.Name }); n >= 0 {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(pods[n])
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/exec") {
			list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
			for name, node := range nodes {
				pod := corev1.Pod{
					ObjectMeta: metav1.ObjectMeta{Name: "agent-" + name, Namespace: "runc-trace"},
					Spec:       corev1.PodSpec{NodeName: name}, Status: corev1.PodStatus{Phase: corev1.PodRunning},
				}
				if node == nil {
					pod.Status.Phase = corev1.PodPending
				}
				list.Items = append(list.Items, pod)
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list)
			return
		}
		name := strings.TrimPrefix(strings.Split(r.URL.Path, "/")[6], "agent-")
		args := strings.Join(r.URL.Query()["command"], " ")
		mu.Lock()
		calls = append(calls, name+": "+args)
		mu.Unlock()
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		answer := nodes[name](args)
		status := `{"status":"Success"}`
		if answer.Code != 0 {
			status = fmt.Sprintf(`{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"%d"}]}}`, answer.Code)
		}
		for _, m := range []string{"\x01" + answer.Stdout, "\x02" + answer.Stderr, "\x03" + status} {
			_ = conn.WriteMessage(websocket.BinaryMessage, []byte(m))
		}
		_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
		_, _, _ = conn.ReadMessage() // until the other side closes
	}))
	t.Cleanup(api.Close)
	return api.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(calls)
		return calls
	}
}

const recordingLine = `{"name":"default/%[1]s/app","namespace":"default","pod":"%[1]s","container":"app","containerID":"%[2]s","podUID":"","sandboxID":"","sandbox":false,` +
	`"image":"busybox","engine":"containerd","labels":{},"state":"exited","exitCode":1,"exited":"2026-01-01T00:00:00Z","created":"2026-01-01T00:00:00Z",` +
	`"oldest":"2026-01-01T00:00:00Z","newest":"2026-01-01T00:00:01Z","syscalls":7,"overwritten":2,"from the future":[1]}` + "\n"

func unloaded(string) result {
	return result{3, "", "tracectl: pin directory /x: not loaded (run tracectl load)\n"}
}

func TestClusterList(t *testing.T) {
	server, asked := fakeCluster(t, map[string]replies{
		"n1": func(string) result {
			return result{0, fmt.Sprintf(recordingLine, "web", "aaaa") + fmt.Sprintf(recordingLine, "db", "bbbb"), ""}
		},
		"n2": func(string) result {
			return result{0, fmt.Sprintf(recordingLine, "\\u001b[2J", "cccc") + `{"evicted":true}` + "\n",
				"tracectl: left out x\n"}
		},
		"n3": unloaded,
		"n4": nil,
	})
	text := tracectl(t, "cluster", "straceback", "list", "-l", "app in (web,db)", "-n", "default", "--pin-dir",
		"/x", "--server", server)
	text.Stdout = strings.ReplaceAll(text.Stdout, agoOf("2026-01-01T00:00:00Z"), "AGO")
	want := result{1, "" +
		"NODE   NAMESPACE   POD         CONTAINER   ID     STATE                SPAN   SYSCALLS   OVERWRITTEN\n" +
		"n2     default     \"\\x1b[2J\"   app         cccc   ! exited (1) AGO ago   1s     7          2\n" +
		"n1     default     db          app         bbbb   ! exited (1) AGO ago   1s     7          2\n" +
		"n1     default     web         app         aaaa   ! exited (1) AGO ago   1s     7          2\n" +
		"n2     <evicted>   <evicted>   <evicted>   -      -                    0s     0          0\n",
		"tracectl: n2: left out x\n" +
			"tracectl: 2 of 4 nodes did not answer:\n" +
			"  n4: its agent agent-n4 is not running: Pending\n" +
			"  n3: pin directory /x: not loaded (run tracectl load)\n",
	}
	text.Stdout = alignAgain(text.Stdout)
	want.Stdout = alignAgain(want.Stdout)
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	args := ": tracectl straceback list --output=json --pin-dir=/x --label=app in (db,web) --namespace=default"
	if diff := cmp.Diff([]string{"n1" + args, "n2" + args, "n3" + args}, asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}

	got := tracectl(t, "cluster", "straceback", "list", "-o", "json", "--node", "n1", "--server", server)
	lines := fmt.Sprintf(recordingLine, "web", "aaaa") + fmt.Sprintf(recordingLine, "db", "bbbb")
	if diff := cmp.Diff(result{0, strings.ReplaceAll(lines, `{"name"`, `{"node":"n1","name"`), ""}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got = tracectl(t, "cluster", "containers", "--node", "x*", "--server", server)
	if want := (result{1, "", "tracectl: no node \"x*\" has an agent\n"}); got != want {
		t.Errorf("nodes that are not there give %+v", got)
	}
}

// agoOf returns the age of a time, as in a table.
func agoOf(then string) string {
	at, err := time.Parse(time.RFC3339, then)
	if err != nil {
		panic(err)
	}
	return age(&at, time.Now())
}

// alignAgain makes the widths of columns independent of the length of ages.
func alignAgain(table string) string {
	var lines []string
	for line := range strings.Lines(table) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestClusterStatus(t *testing.T) {
	server, _ := fakeCluster(t, map[string]replies{
		"n2": func(string) result {
			return result{0, `{"version":"v1","build":"01","current":true,"loaded":"2026-01-01T00:00:00Z","agent":{"alive":true},"containers":{"running":3},` +
				`"recordings":{"live":2,"ended":3,"free":11,"syscalls":99,"lost":1},"execLog":{"execs":5,"lost":2},"dropped":{"noRing":4,"busy":1}}` + "\n", ""}
		},
		"n1": func(string) result { return result{0, `{"version":"v2","loaded":"2026-01-01T00:00:00Z"}` + "\n", ""} },
	})
	got := tracectl(t, "cluster", "status", "--server", server)
	ago := agoOf("2026-01-01T00:00:00Z")
	want := []string{
		"NODE VERSION LOADED PROGRAMS AGENT RUNNING RECORDINGS SYSCALLS EXECS LOST DROPPED",
		"n1 v2 " + ago + " ago mixed never 0 0/0 0 0 0 0",
		"n2 v1 " + ago + " ago current alive 3 5/16 99 5 3 5",
	}
	if diff := cmp.Diff(want, strings.Split(alignAgain(got.Stdout), "\n")); diff != "" ||
		got.Code != 0 || got.Stderr != "" {
		t.Errorf("%+v (-want +got):\n%s", got, diff)
	}
}

func TestClusterShow(t *testing.T) {
	const calls = "00:00.000000001 cpu#1 pid 7 [sh] write(fd=1, buf=0x1 \"a\\n\", count=2) = 2\n"
	node := func(lines string) replies {
		return func(args string) result {
			switch {
			case strings.Contains(args, " list "):
				return result{0, lines, ""}
			case strings.HasSuffix(args, "-- gone"):
				return result{4, "", "tracectl: no recording of \"gone\"\n"}
			case strings.Contains(args, "--output=json"):
				return result{0, `{"time":"2026-01-01T00:00:00Z","syscall":"read"}` + "\n", ""}
			}
			return result{0, calls + "\x1b[2Jhostile\r\n", "tracectl: ... 9 earlier calls were overwritten\n"}
		}
	}
	nodes := map[string]replies{
		"n1": node(fmt.Sprintf(recordingLine, "web", "aaaa") + fmt.Sprintf(recordingLine, "gone", "dddd")),
		"n2": node(fmt.Sprintf(recordingLine, "web", "bbbb") + fmt.Sprintf(recordingLine, "db", "cccc") +
			`{"evicted":true}` + "\n"),
	}
	server, asked := fakeCluster(t, nodes)
	shown := result{0, calls + "\\x1b[2Jhostile\\r\n", "tracectl: recorded on node %[1]s\ntracectl: %[1]s: ... 9 earlier calls were overwritten\n"}
	for _, c := range []struct {
		args []string
		want result
		ran  string // node and command that ran
	}{
		{[]string{"db"}, shown, "n2: tracectl straceback show -- db"},
		{[]string{"n1_default_web", "-x", "-e", "read,write", "--pid", "7,8", "-p", "-n", "default"}, shown,
			"n1: tracectl straceback show --failed=true --pid=7,8 --previous=1 --syscall=read,write -- n1_default_web"},
		{[]string{"db", "-e", "!futex,read", "-e", "%file", "--path", "/a,b", "--path", "*.conf", "--since", "10m",
			"--grep", "a b", "--errno", "!EAGAIN", "--tail", "3", "-r", "--no-pager", "--color=always", "--addresses"}, shown,
			"n2: tracectl straceback show --delta=true --errno=!EAGAIN --grep=a b --path=/a,b --path=*.conf --since=10m " +
				"--syscall=%file,!futex,!read --tail=3 -- db"},
		{[]string{"db", "-f", "--no-addresses"}, shown,
			"n2: tracectl straceback show --follow=true --no-addresses=true --until-eof -- db"},
		{[]string{"bbb", "-o", "json"}, result{0, `{"node":"n2","time":"2026-01-01T00:00:00Z","syscall":"read"}` + "\n",
			"tracectl: recorded on node n2\n"}, "n2: tracectl straceback show --output=json -- bbb"},
		{[]string{"web"}, result{4, "", "tracectl: \"web\" matches several containers; use one of:\n  n1_default_web_app\n  n2_default_web_app\n"}, ""},
		{[]string{"webs"}, result{4, "", "tracectl: no recording of \"webs\"; similar names:\n  n1_default_web_app\n  n2_default_web_app\n"}, ""},
		{[]string{"gone"}, result{4, "", "tracectl: recorded on node n1\ntracectl: n1: no recording of \"gone\"\n"},
			"n1: tracectl straceback show -- gone"},
	} {
		got := tracectl(t, append([]string{"cluster", "straceback", "show", "--server", server}, c.args...)...)
		want := c.want
		if strings.Contains(want.Stderr, "%") {
			want.Stderr = fmt.Sprintf(want.Stderr, c.ran[:2])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.args, diff)
		}
		if c.ran != "" && !slices.Contains(asked(), c.ran) {
			t.Errorf("%q: asked %q", c.args, asked())
		}
	}

	nodes["n3"] = unloaded
	server, _ = fakeCluster(t, nodes)
	const failed = "tracectl: 1 of 3 nodes did not answer: n3: pin directory /x: not loaded (run tracectl load)\n"
	got := tracectl(t, "cluster", "straceback", "show", "--server", server, "db", "-o=json")
	if got.Code != 0 || got.Stdout == "" || got.Stderr != failed+"tracectl: recorded on node n2\n" {
		t.Errorf("with a node that fails, what another one has is %+v", got)
	}
	got = tracectl(t, "cluster", "straceback", "show", "--server", server, "other")
	if want := (result{1, "", failed + "no recording of \"other\"\n"}); got != want {
		t.Errorf("with a node that fails, what no other one has is %+v", got)
	}
	got = tracectl(t, "__complete", "cluster", "straceback", "show", "--server", server, "")
	if names := "default/db/app\ndefault/gone/app\ndefault/web/app\n:4\n"; got.Stdout != names {
		t.Errorf("names are completed as %q", got.Stdout)
	}
	got = tracectl(t, "__complete", "cluster", "exec", "--server", server, "--node", "")
	if names := "n1\nn2\nn3\n:4\n"; got.Stdout != names {
		t.Errorf("nodes are completed as %q", got.Stdout)
	}
}

// savedBy is a node that has the recording of a file under a name, and another one that it does not send.
func savedBy(pod, id string, file []byte) replies {
	return func(args string) result {
		switch {
		case strings.Contains(args, " list "):
			return result{0, fmt.Sprintf(recordingLine, pod, id) + fmt.Sprintf(recordingLine, "gone", id+"00"), ""}
		case strings.HasSuffix(args, "save --output=- -- "+id):
			return result{0, string(file), "tracectl: 1 event is not recorded\n"}
		}
		return result{4, "", "tracectl: the container is gone\n"}
	}
}

// TestClusterAnswers compares the answers of a cluster, whose nodes send their recordings, with those from a file.
func TestClusterAnswers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web.rec")
	var file bytes.Buffer
	if err := writeRecording(&file, arm()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	server, asked := fakeCluster(t, map[string]replies{
		"n1": savedBy("web", "aaaa", file.Bytes()), "n2": savedBy("db", "bbbb", file.Bytes()[:file.Len()-30]),
		"n3": savedBy("hostile", "cccc", []byte("\x1b[2J")),
	})
	const told = "tracectl: recorded on node n1\ntracectl: n1: 1 event is not recorded\n"
	for _, verb := range answerVerbs {
		name := verb(&settings{}).Name()
		want := tracectl(t, name, "-o", "json", "--from", path).Stdout
		got := tracectl(t, "cluster", name, "--server", server, "-n", "default", "-o", "json", "web")
		if diff := cmp.Diff(result{0, `{"node":"n1",` + want[1:], told}, got); diff != "" {
			t.Errorf("%s as JSON (-want +got):\n%s", name, diff)
		}
		got = tracectl(t, "cluster", name, "--server", server, "web")
		if more := "tracectl cluster "; got.Code != 0 || got.Stderr != told || got.Stdout == "" ||
			strings.Contains(got.Stdout, "tracectl ") && !strings.Contains(got.Stdout, more) {
			t.Errorf("cluster %s gives %+v", name, got)
		}
		var stdout, stderr bytes.Buffer
		code := runRoot(newPlugin(), []string{name, "--server", server, "web"}, strings.NewReader(""), &stdout, &stderr)
		if plugin := strings.ReplaceAll(got.Stdout, "tracectl cluster", "kubectl runc-trace"); code != 0 ||
			stdout.String() != plugin {
			t.Errorf("kubectl runc-trace %s gives %d, %s%s", name, code, &stdout, &stderr)
		}
		got = tracectl(t, "cluster", name, "--server", server, "db")
		if damaged := "the answer of node n2 is damaged: its end is missing"; got.Code != 0 ||
			!strings.Contains(got.Stderr, damaged) {
			t.Errorf("%s of a cut answer gives %+v", name, got)
		}
		for _, c := range []struct {
			args, want string
			code       int
		}{
			{"webs", "similar names:\n  n1_default_web_app", exitNotFound},
			{"web -p", "only 1 run recorded; --previous=1 is out of range", exitNotFound},
			{"aaaa00", "n1: the container is gone", exitNotFound},
			{"hostile", "n3: not a saved recording", exitFailure},
		} {
			got := tracectl(t, append([]string{"cluster", name, "--server", server}, strings.Fields(c.args)...)...)
			if got.Code != c.code || got.Stdout != "" || !strings.Contains(got.Stderr, c.want) {
				t.Errorf("%s %s gives %+v", name, c.args, got)
			}
		}
	}
	if want := "n1: tracectl save --output=- -- aaaa"; !slices.Contains(asked(), want) {
		t.Errorf("asked %q, not %q", asked(), want)
	}
	copied := filepath.Join(dir, "copy.rec")
	for _, c := range []struct{ cluster, file string }{
		{"save web -o " + copied, ""},
		{"straceback show --from " + copied, "straceback show --from " + path},
		{"export web", "export --from " + path},
		{"export web --format json", "export --format json --from " + path},
		{"diff web db", ""},
	} {
		args := append([]string{"cluster"}, append(strings.Fields(c.cluster), "--server", server)...)
		if strings.Contains(c.cluster, "--from") {
			args = strings.Fields(c.cluster)
		}
		got := tracectl(t, args...)
		want := got.Stdout
		if c.file != "" {
			want = tracectl(t, strings.Fields(c.file)...).Stdout
		}
		if got.Code != 0 || got.Stdout != want || c.file != "" && want == "" {
			t.Errorf("cluster %s gives %+v", c.cluster, got)
		}
	}
	got := tracectl(t, "cluster", "report", "web", "--server", server)
	if got.Code != 0 || !strings.HasPrefix(got.Stdout, "<!doctype html>") {
		t.Errorf("the page is %.100q, %s", got.Stdout, got.Stderr)
	}
}

// TestClusterRuns selects runs of a container: by the ID of each, and by their order if they have the same one.
func TestClusterRuns(t *testing.T) {
	runs := []labels.Known{{Container: &labels.Container{ID: "c"}}, {Container: &labels.Container{ID: "b"}},
		{Container: &labels.Container{ID: "b"}}, {Container: &labels.Container{ID: "a"}}}
	for previous, want := range []string{"-- c", "-- b", "--previous=1 -- b", "-- a"} {
		if got := strings.Join(runArgs(runs, previous), " "); got != want {
			t.Errorf("run %d is selected by %q, not %q", previous, got, want)
		}
	}
}

// TestClusterFind merges what the nodes find.
func TestClusterFind(t *testing.T) {
	line := func(id string, second int, pod string) string {
		return fmt.Sprintf(`{"version":1,"time":"2026-01-01T00:00:%02dZ","name":"default/%s/app","containerID":%q,`+
			`"times":%d,"process":"cat[1]","summary":"openat(\"/x\") = ENOENT","text":"openat(AT_FDCWD) = -1","call":{"pid":7}}`+
			"\n", second, pod, id, second)
	}
	const totals = `{"recordings":2,"partial":1,"older":3,"lost":5}` + "\n"
	server, asked := fakeCluster(t, map[string]replies{
		"n1": func(string) result { return result{0, line("aaaa", 4, "web") + line("aaab", 2, "api") + totals, ""} },
		"n2": func(string) result {
			return result{0, line("bbbb", 3, "\\u001b[2J") + line("../b", 9, "no-id") + totals, ""}
		},
		"n3": func(string) result { return result{exitNotFound, "", "tracectl: no container matches\n"} },
		"n4": unloaded,
	})
	got := tracectl(t, "cluster", "find", "ENOENT", "--limit", "2", "-l", "app=web", "--server", server)
	var lines []string
	for line := range strings.Lines(got.Stdout) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	at := func(second string) string {
		when, err := time.Parse(time.RFC3339, "2026-01-01T00:00:"+second+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return when.Local().Format("2006-01-02 15:04:05.000")
	}
	want := []string{"TIME NODE CONTAINER PROCESS TIMES CALL",
		at("04") + ` n1 default/web/app cat[1] 4 openat("/x") = ENOENT`,
		at("03") + ` n2 "default/\x1b[2J/app" cat[1] 3 openat("/x") = ENOENT`}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, note := range []string{"left out 7 older lines (--limit)", "of 2 of 4 recordings, calls were overwritten",
		"10 calls lost", "n4: pin directory /x: not loaded", "n2: left out 1 line"} {
		if !strings.Contains(got.Stderr, note) {
			t.Errorf("stderr does not say %q:\n%s", note, got.Stderr)
		}
	}
	if got.Code != exitFailure {
		t.Errorf("the exit code is %d", got.Code)
	}
	if args := "n1: tracectl find --output=json --totals --label=app=web --limit=2 -- ENOENT"; !slices.Contains(asked(), args) {
		t.Errorf("asked %q, not %q", asked(), args)
	}
	got = tracectl(t, "cluster", "find", "ENOENT", "-o", "json", "--node", "n1", "--server", server)
	json := strings.ReplaceAll(line("aaaa", 4, "web")+line("aaab", 2, "api"), `{"version"`, `{"node":"n1","version"`)
	if diff := cmp.Diff(json, got.Stdout); diff != "" || got.Code != 0 {
		t.Errorf("JSON, exit code %d (-want +got):\n%s", got.Code, diff)
	}
	if got := tracectl(t, "cluster", "find", "--server", server); got.Code != exitUsage ||
		!strings.Contains(got.Stderr, "missing argument: QUERY") {
		t.Errorf("without a query: %+v", got)
	}
}

func TestClusterUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"cluster", "exec", "-A", "-n", "x"}, "--all-namespaces and --namespace cannot be combined"},
		{[]string{"cluster", "exec", "--since", "-1s"}, `--since "-1s": must be a time ago`},
		{[]string{"cluster", "exec", "--timeout", "0s"}, `--timeout "0s": must be a time`},
		{[]string{"cluster", "exec", "--node", "["}, `--node "[": not a valid pattern`},
		{[]string{"cluster", "straceback", "show", "x", "-e", "opne"}, `unknown system call "opne"`},
		{[]string{"cluster", "straceback", "show"}, "missing argument: tracectl cluster straceback show NAME"},
		{[]string{"cluster", "load"}, `unknown command "load"`},
	} {
		got := tracectl(t, c.args...)
		if got.Code != exitUsage || !strings.Contains(got.Stderr, c.want) || got.Stdout != "" {
			t.Errorf("tracectl %s gives %+v", strings.Join(c.args, " "), got)
		}
	}
	t.Setenv("KUBECONFIG", "/nonexistent")
	got := tracectl(t, "cluster", "status", "--context", "nowhere")
	if got.Code != exitFailure || !strings.HasPrefix(got.Stderr, `tracectl: finding the cluster: `) {
		t.Errorf("without a cluster: %+v", got)
	}
}

// TestClusterFlagsAreTheNodes checks that each command for a cluster has the flags of the node's command, with the
// same meaning.
func TestClusterFlagsAreTheNodes(t *testing.T) {
	root := newRoot()
	for _, command := range []string{"exec", "containers", "status", "straceback list", "straceback show",
		"why", "summary", "tree", "files", "net", "io", "find", "diff", "save", "export", "report"} {
		node, _, err := root.Find(strings.Fields(command))
		if err != nil {
			t.Fatal(err)
		}
		all, _, err := root.Find(append([]string{"cluster"}, strings.Fields(command)...))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range flagNames(node) {
			if slices.Contains([]string{"heartbeat", "names", "totals", "from"}, name) { // of programs; of files on this machine
				continue
			}
			a, b := node.Flags().Lookup(name), all.Flags().Lookup(name)
			if b == nil {
				t.Errorf("cluster %s has no --%s", command, name)
			} else if a.Usage != b.Usage || a.Shorthand != b.Shorthand || a.DefValue != b.DefValue {
				t.Errorf("cluster %s: --%s is another one", command, name)
			}
		}
	}
}

func flagNames(c *cobra.Command) []string {
	var names []string
	for line := range strings.Lines(c.LocalNonPersistentFlags().FlagUsages()) {
		if _, rest, ok := strings.Cut(line, "--"); ok {
			names = append(names, strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '[' })[0])
		}
	}
	return names
}

// TestClusterPlace has nodes claim foreign objects: by a container's ID, by a name within a pod, and by a pod on
// another node.
func TestClusterPlace(t *testing.T) {
	list := func(lines string) replies {
		return func(args string) result {
			if strings.Contains(args, " list ") {
				return result{0, lines, ""}
			}
			return result{0, "calls\n", ""}
		}
	}
	id := func(line, id string) string {
		return strings.Replace(line, `"containerID":"aaaa"`, `"containerID":"`+id+`"`, 1)
	}
	web := fmt.Sprintf(recordingLine, "web-0", "aaaa")
	onPod := func(node, uid string) corev1.Pod {
		return corev1.Pod{
			TypeMeta:   metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
			ObjectMeta: metav1.ObjectMeta{Name: "web-0", Namespace: "default", UID: types.UID(uid)},
			Spec:       corev1.PodSpec{NodeName: node},
		}
	}
	uid := func(line string) string { return strings.Replace(line, `"podUID":""`, `"podUID":"u1"`, 1) }
	other := strings.Replace(fmt.Sprintf(recordingLine, "other", "bbbb"), `"container":"app"`, `"container":"web-0"`, 1)
	for name, c := range map[string]struct {
		nodes  map[string]replies
		pods   []corev1.Pod
		show   string
		code   int
		stderr string // a part of it
	}{
		"an ID that is a name": {map[string]replies{"honest": list(web), "hostile": list(id(web, "default/web-0"))},
			nil, "default/web-0", 0, "1 of 2 nodes did not answer in full: hostile"},
		"an ID of control characters": {map[string]replies{"honest": list(web), "hostile": list(id(web, "web-0\\u0000"))},
			nil, "default/web-0", 0, "hostile: left out 1 line"},
		"the same pod": {map[string]replies{"n1": list(web), "n2": list(web)}, nil, "default/web-0", 4,
			"n1_default_web-0_app\n  n2_default_web-0_app"},
		"a name within a pod": {map[string]replies{"n1": list(web), "n2": list(other)}, nil, "web-0", 4,
			"matches several containers"},
		"a pod that is there": {map[string]replies{"n1": list(uid(web))}, []corev1.Pod{onPod("n1", "u1")},
			"default/web-0", 0, "tracectl: recorded on node n1\n"},
		"a pod that is elsewhere": {map[string]replies{"n1": list(uid(web))}, []corev1.Pod{onPod("n2", "u1")},
			"default/web-0", 1, "which the API server has on node n2"},
		"asked for all the same": {map[string]replies{"n1": list(uid(web))}, []corev1.Pod{onPod("n2", "u1")},
			"n1_default_web-0", 0, "tracectl: recorded on node n1\n"},
		"a pod that was elsewhere": {map[string]replies{"n1": list(uid(web))}, []corev1.Pod{onPod("n2", "u2")},
			"default/web-0", 0, "is on node n2 now; showing an earlier pod of that name on node n1"},
	} {
		server, _ := fakeCluster(t, c.nodes, c.pods...)
		got := tracectl(t, "cluster", "straceback", "show", c.show, "--server", server)
		if got.Code != c.code || !strings.Contains(got.Stderr, c.stderr) || (got.Stdout == "calls\n") != (c.code == 0) {
			t.Errorf("%s: %+v", name, got)
		}
		if c.code == 0 && !strings.Contains(got.Stderr, "recorded on node ") {
			t.Errorf("%s: it does not say which node's it is: %q", name, got.Stderr)
		}
	}
}

// TestClusterTooMuch has a node list more than a node can have: the rest is omitted and reported.
func TestClusterTooMuch(t *testing.T) {
	var kept held
	if err := kept.add(200 << 20); err != nil {
		t.Error(err)
	}
	if err := kept.add(100 << 20); err == nil || !strings.Contains(err.Error(), "all nodes together") {
		t.Errorf("more than is kept of all nodes: %v", err)
	}
	if testing.Short() {
		t.Skip("65,536 lines take seconds with the race detector")
	}
	server, _ := fakeCluster(t, map[string]replies{
		"honest": func(string) result { return result{0, fmt.Sprintf(recordingLine, "web", "aaaa"), ""} },
		"hostile": func(string) result {
			return result{0, strings.Repeat(fmt.Sprintf(recordingLine, "x", "bbbb"), 65<<10), ""}
		},
	})
	got := tracectl(t, "cluster", "containers", "--all", "--server", server)
	if got.Code == 0 || !strings.Contains(got.Stderr, "1 of 2 nodes did not answer in full: hostile: it sent more than 65536 lines; the rest was left out") ||
		!strings.Contains(got.Stdout, "honest") || strings.Count(got.Stdout, "\n") > 65538 {
		t.Errorf("exit %d, %d lines, %q", got.Code, strings.Count(got.Stdout, "\n"), got.Stderr)
	}
}
