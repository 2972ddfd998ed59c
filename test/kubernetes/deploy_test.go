// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
)

// base is the directory for `kubectl apply -k`. unreleased is the tag of its image.
const (
	base       = "../../install/kubernetes/base"
	unreleased = "unreleased"
)

// buildImage builds the archive with the image named in the manifests, as `make image` does, once.
var buildImage = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "image")
	build := exec.Command("sh", "../../install/image/build.sh", dir)
	build.Env = append(os.Environ(), "VERSION="+unreleased, "ARCHS="+runtime.GOARCH,
		"REVISION=tests", "SOURCE_DATE_EPOCH=0")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the image: %w\n%s", err, text)
	}
	return filepath.Join(dir, "runc-trace-image-"+unreleased+".tar"), nil
})

// loadImage imports the project's image into all nodes, once.
func (c *cluster) loadImage() {
	c.t.Helper()
	archive, err := buildImage()
	if err != nil {
		c.t.Fatal(err)
	}
	if !c.imageLoaded {
		c.load(archive)
		c.imageLoaded = true
	}
}

// deploy installs runc-trace on all nodes with its manifests, and returns when every node is installed and its
// agent ready. It stays installed for later tests: a test that changes the deployment calls undeploy, before or in
// a Cleanup.
func (c *cluster) deploy() {
	c.t.Helper()
	c.loadImage()
	c.deployed = true
	c.apply(base)
	c.rolledOut()
}

// rolledOut waits until the DaemonSet has its desired state on all nodes.
func (c *cluster) rolledOut() {
	c.t.Helper()
	o := c.do("kubectl", "rollout", "status", "--namespace=runc-trace", "daemonset/runc-trace", "--timeout=300s")
	if o.Code != 0 {
		c.t.Fatalf("the DaemonSet is not rolled out: %s%s\n%s", o.Stdout, o.Stderr, c.describe("runc-trace"))
	}
}

// undeploy quickly removes runc-trace from all nodes: it deletes the objects of the manifests, and runs uninstall
// on each node. No pod made through runc-trace may exist by then.
func (c *cluster) undeploy() {
	c.t.Helper()
	if !c.deployed {
		return
	}
	c.delete(base)
	for _, n := range c.nodes {
		c.eventually("nothing of runc-trace is left on "+n.name, func() (string, bool) {
			o := n.run(programs+"/tracectl", "uninstall", "--restart")
			return o.Stdout + o.Stderr, o.Code == 0
		})
	}
	c.deployed = false
}
