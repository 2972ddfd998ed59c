// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"regexp"
	"testing"
)

// TestWhy has three pods that fail as real ones do, and are deleted. One command each says why.
func TestWhy(t *testing.T) {
	c := use(t)
	c.deploy()
	namespace := c.namespace("failing")
	pods := []struct{ name, command, find string }{
		{"no-config", `[sh, -c, "cat /etc/app/settings.yaml 2>/dev/null || exit 4"]`,
			`Likely +/etc/app/settings\.yaml does not exist\n.* cat\[\d+\] openat\(`},
		{"no-database", `[sh, -c, "nc 127.0.0.1 5432 || exit 5"]`,
			`Likely +127\.0\.0\.1:5432 refused the connection\n.* nc\[\d+\] connect\(`},
		{"no-program", `[/app/server, --port=80]`,
			`its program was never started.*\n\nCause +its program /app/server cannot be used: No such file`},
	}
	for _, p := range pods {
		c.applyText(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: busybox, imagePullPolicy: IfNotPresent, command: %s}]
`, p.name, namespace, p.command))
	}
	for _, p := range pods {
		c.eventually(p.name+" is recorded", func() (string, bool) {
			for _, r := range c.recordings("--namespace=" + namespace) {
				if r.Pod == p.name {
					return "it runs", r.ExitCode != nil || r.Ended != nil
				}
			}
			return "no recording", false
		})
	}
	c.kubectl("delete", "pods", "--all", "--namespace="+namespace)
	for _, p := range pods {
		for _, why := range [][]string{
			{"tracectl", "cluster", "why", namespace + "/" + p.name},
			{"kubectl", "runc-trace", "why", "--namespace=" + namespace, p.name},
		} {
			o := c.do(why...)
			if o.Code != 0 || !regexp.MustCompile(p.find).MatchString(o.Stdout) {
				t.Errorf("%q does not match %s: exit code %d\n%s%s", why, p.find, o.Code, o.Stdout, o.Stderr)
			}
			t.Logf("%q\n%s", why, o.Stdout)
		}
	}
}
