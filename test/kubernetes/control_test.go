// SPDX-License-Identifier: Apache-2.0

package kubernetes

// control is a program of the control plane.
type control struct {
	name string
	args []string
}

// firstControls returns the programs that the others need; the API server waits for etcd.
func firstControls(a *authority) []control {
	return []control{
		{"etcd", []string{
			"etcd", "--data-dir=/var/lib/etcd-test", "--log-level=warn",
			"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380",
		}},
		{"kube-apiserver", []string{
			program("kube-apiserver"),
			"--etcd-servers=http://127.0.0.1:2379",
			"--bind-address=0.0.0.0", "--secure-port=443", "--advertise-address=" + controlAddress,
			"--tls-cert-file=" + a.file("kube-apiserver.crt"), "--tls-private-key-file=" + a.file("kube-apiserver.key"),
			"--client-ca-file=" + a.file("ca.crt"),
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--service-cluster-ip-range=" + services,
			"--service-account-key-file=" + a.file("sa.pub"), "--service-account-signing-key-file=" + a.file("sa.key"),
			"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority=" + a.file("ca.crt"),
			"--kubelet-client-certificate=" + a.file("kubelet-client.crt"),
			"--kubelet-client-key=" + a.file("kubelet-client.key"),
		}},
	}
}

// otherControls returns the programs that exit if they do not find the API server.
func otherControls(a *authority) []control {
	config := func(name string) []string {
		file := a.file(name + ".kubeconfig")
		return []string{"--kubeconfig=" + file, "--authentication-kubeconfig=" + file, "--authorization-kubeconfig=" + file,
			"--leader-elect=false"}
	}
	return []control{
		{"kube-scheduler", append([]string{program("kube-scheduler")}, config("kube-scheduler")...)},
		{"kube-controller-manager", append([]string{
			program("kube-controller-manager"), "--use-service-account-credentials",
			"--service-account-private-key-file=" + a.file("sa.key"), "--root-ca-file=" + a.file("ca.crt"),
		}, config("kube-controller-manager")...)},
	}
}

// credentials makes the certificates and keys of the control plane and its user.
func credentials(a *authority) error {
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	if err := a.server("kube-apiserver", []string{controlAddress, serviceAddress, "127.0.0.1"}, names...); err != nil {
		return err
	}
	for _, c := range []struct{ name, user, group string }{
		{"admin", "admin", "system:masters"},
		{"kubelet-client", "kube-apiserver", "system:masters"},
		{"kube-scheduler", "system:kube-scheduler", ""},
		{"kube-controller-manager", "system:kube-controller-manager", ""},
	} {
		var groups []string
		if c.group != "" {
			groups = append(groups, c.group)
		}
		if err := a.client(c.name, c.user, groups...); err != nil {
			return err
		}
	}
	return nil
}
