#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the programs of Kubernetes from the Go module proxy into /var/cache/runc-trace-e2e/kubernetes-VERSION/bin.
# components/go.mod sets the version. Existing programs are not built again.
set -eu
cd "$(dirname "$0")/components"

export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
cache=/var/cache/runc-trace-e2e
bin=$cache/kubernetes-${version#v}/bin
[ ! -e "$bin" ] || exit 0

echo "building Kubernetes $version"
# A node reports its version, and the control plane parses it.
minor=${version#v1.}
minor=${minor%%.*}
stamps="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	stamps="$stamps -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
done
work=$cache/work-kubernetes
rm -rf "$work"
mkdir -p "$work/bin" "$(dirname "$bin")"
for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do
	nice -n 10 go build -trimpath -ldflags "$stamps" -o "$work/bin/" "k8s.io/kubernetes/cmd/$program"
done
mv "$work/bin" "$bin"
rm -rf "$work"
