// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"path/filepath"

	"github.com/runc-trace/runc-trace/test/machine"
)

// nodeName returns the name of a node, counted from 0.
func nodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// nodeLayout returns a machine with containerd and a systemctl that can restart it.
func nodeLayout(i int) (machine.Layout, error) {
	systemctl, err := filepath.Abs("testdata/systemctl")
	if err != nil {
		return machine.Layout{}, err
	}
	l := machine.Layout{Name: nodeName(i), Programs: map[string]string{"/usr/bin/systemctl": systemctl}}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		l.Programs["/usr/bin/"+name] = filepath.Join(cache, "containerd-2.4.2/bin", name)
	}
	return l, nil
}

// Files of a node: containerd's configuration, for a host without an outside network and with limited rights over
// processes; its unit; the pod network; and the kubelet's configuration.
const (
	containerdConfig = `# the node's own
version = 3

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "` + pauseImage + `"

[plugins."io.containerd.cri.v1.images".registry]
  config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["/usr/lib/cni"]
`
	containerdUnit = `[Service]
ExecStart=/usr/bin/containerd
Restart=always
`
	mirror = `server = "http://` + controlAddress + `"

[host."http://` + controlAddress + `"]
  capabilities = ["pull", "resolve"]
`
	podNetwork = `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [{
    "type": "bridge",
    "bridge": "pods",
    "isGateway": true,
    "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}
  }]
}
`
	// Nothing answers at clusterDNS; without the setting, the kubelet logs a warning about each pod.
	kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %q}}
authorization: {mode: Webhook}
tlsCertFile: %q
tlsPrivateKeyFile: %q
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
staticPodPath: /etc/kubernetes/manifests
volumePluginDir: /var/lib/kubelet/volume-plugins
crashLoopBackOff: {maxContainerRestartPeriod: 1s} # for a test, minutes are too long
`
	// supervise restarts a program whenever it ends. Its PID is in a file.
	supervise = `while :; do "$@" & echo $! >/run/$0.pid.new && mv /run/$0.pid.new /run/$0.pid; wait $!; sleep 0.1; done`
)

// prepareNode writes a node's files and starts its containerd.
func (e *environment) prepareNode(i int) error {
	m, name := e.nodes[i], nodeName(i)
	if err := e.authority.server(name+"-server", []string{nodeAddress(i)}, name); err != nil {
		return err
	}
	if err := e.authority.client(name, "system:node:"+name, "system:nodes"); err != nil {
		return err
	}
	files := map[string]string{
		"/etc/containerd/config.toml":                  containerdConfig,
		"/etc/containerd/certs.d/docker.io/hosts.toml": mirror,
		"/etc/systemd/system/containerd.service":       containerdUnit,
		"/etc/cni/net.d/10-pods.conflist":              fmt.Sprintf(podNetwork, podRange(i)),
		"/var/lib/kubelet/config.yaml": fmt.Sprintf(kubeletConfig,
			e.authority.file("ca.crt"), e.authority.file(name+"-server.crt"), e.authority.file(name+"-server.key")),
		// Smaller than the default, since two of them share a kernel.
		"/etc/runc-trace/config.toml": "[pool]\nrings = 128\nring-size = \"256KiB\"\nidentities = 512\nexec-log-size = \"2MiB\"\n",
	}
	for path, text := range files {
		if err := m.Write(path, text); err != nil {
			return err
		}
	}
	if o, err := m.Run("mkdir", "-p", "/run/systemd/system", "/etc/kubernetes/manifests"); err != nil || o.Code != 0 {
		return fmt.Errorf("making directories: %w\n%s", err, o.Stderr)
	}
	return e.start(m, name+"-containerd", "sh", "-c", supervise, "containerd", "containerd")
}

// startKubelet starts a node's kubelet.
func (e *environment) startKubelet(i int) error {
	return e.start(e.nodes[i], nodeName(i)+"-kubelet", "sh", "-c", supervise, "kubelet", program("kubelet"),
		"--config=/var/lib/kubelet/config.yaml",
		"--kubeconfig="+e.authority.file(nodeName(i)+".kubeconfig"), "--node-ip="+nodeAddress(i), "--v=2")
}
