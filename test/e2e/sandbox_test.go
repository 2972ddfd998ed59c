// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The annotations of a pod's sandbox, which alone has the pod's label, and of its container, as each engine writes
// them.
var annotationsOf = map[string]func(name string) (sandbox, container map[string]string){
	"cri-o": func(name string) (sandbox, container map[string]string) {
		all := func(kind, labels string) map[string]string {
			return map[string]string{
				"io.container.manager":              "cri-o",
				"io.kubernetes.cri-o.ContainerType": kind,
				"io.kubernetes.cri-o.SandboxID":     name + "-sandbox",
				"io.kubernetes.pod.name":            name,
				"io.kubernetes.pod.namespace":       "shop",
				"io.kubernetes.pod.uid":             "uid-of-" + name,
				"io.kubernetes.cri-o.Labels":        labels,
			}
		}
		sandbox = all("sandbox", `{"myapp":"app-one","io.kubernetes.pod.name":"`+name+
			`","io.kubernetes.container.name":"POD"}`)
		container = all("container", `{"io.kubernetes.pod.name":"`+name+`","io.kubernetes.container.name":"main"}`)
		container["io.kubernetes.container.name"] = "main"
		return sandbox, container
	},
	"containerd": func(name string) (sandbox, container map[string]string) {
		container = pod(name, nil)
		container["io.kubernetes.cri.sandbox-id"] = name + "-sandbox"
		sandbox = map[string]string{"runc-trace.label/myapp": "app-one"} // pod_annotations passes it on
		for key, value := range container {
			sandbox[key] = value
		}
		sandbox["io.kubernetes.cri.container-type"] = "sandbox"
		delete(sandbox, "io.kubernetes.cri.container-name")
		return sandbox, container
	},
}

// TestPodsWithinASecond follows a label while pods start, each within a second of the one before. Beside them,
// containers of unknown sandboxes run programs. No exec of the pods may be missing.
func TestPodsWithinASecond(t *testing.T) {
	const pods = 6
	for engine, annotations := range annotationsOf {
		t.Run(engine, func(t *testing.T) {
			x := load(t)
			reader := x.follow("--label=myapp=app-one")
			var noise []string
			for n := range 2 {
				id := fmt.Sprint("noise", n)
				_, container := annotations(id)
				x.start(bundle{
					id: id, annotations: container, args: []string{"/bin/sh", "-c", "while :; do /bin/hostname; sleep 0.02; done"},
				})
				noise = append(noise, id)
			}
			want := map[string][]string{}
			began := time.Now()
			for n := range pods {
				name := fmt.Sprint("pod", n)
				sandbox, container := annotations(name)
				x.start(bundle{id: name + "-sandbox", annotations: sandbox, args: []string{"/bin/sleep", "1000"}})
				if o := x.runContainer(bundle{id: name, annotations: container,
					args: []string{"/bin/sh", "-c", "/bin/true; /bin/hostname; :"}}); o.code != 0 {
					t.Fatalf("%s: %+v", name, o)
				}
				want[name] = []string{"/bin/sleep 1000", `/bin/sh -c "/bin/true; /bin/hostname; :"`, "/bin/true", "/bin/hostname"}
			}
			t.Logf("%d pods in %v", pods, time.Since(began))
			eventually(t, "what is not known was given up, and said", func() bool {
				return strings.Contains(reader.read(1), ": leaving out its execs")
			})
			if err := reader.cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			o := reader.wait()
			got := map[string][]string{}
			for _, line := range splitLines(o.stdout)[1:] {
				fields := strings.Fields(line)
				ret := 6 // NAMESPACE POD CONTAINER PCOMM PID PPID RET; a sandbox has no name
				if fields[2] == "-" || fields[2] == "<sandbox>" || len(fields) > 6 && fields[6] == "0" {
					got[fields[1]] = append(got[fields[1]], strings.Join(fields[ret+1:], " "))
				} else {
					t.Errorf("the line %q", line)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("execs of pods (-want +got):\n%s", diff)
			}
			said := regexp.MustCompile(`^tracectl: no labels for \w+/noise\d/\w+: leaving out its execs, [^\n]*\ntracectl: left out \d+ execs of containers without known labels [^\n]*\n$`)
			if o.code != 0 || !said.MatchString(o.stderr) {
				t.Errorf("exit code %d, stderr:\n%s", o.code, o.stderr)
			}
			for _, id := range noise {
				x.remove(id)
			}
		})
	}
}
