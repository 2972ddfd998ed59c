// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"io"
	"path"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// sandboxLimit is the size of the largest sandbox spec that is read, in bytes. Kubernetes keeps a pod's annotations
// below 256 KiB. The runtime does not read this file, so a container must not start later because the file is long.
const sandboxLimit = 1 << 20

// AddPodLabels adds the labels of its pod to a CRI-O container. bundle is the path at which the caller sees its bundle.
// Only the sandbox's spec has the labels. By default, CRI-O does not have the runtime make the sandbox
// (drop_infra_ctr in crio.conf(5)), but it writes the spec into a bundle beside the container's. The container's
// annotations have the sandbox's ID, and CRI-O overrides it last. If anything fails, only the labels are missing.
func AddPodLabels(who *abi.Who, bundle string, rules identity.Rules) {
	sandbox := identity.String(who.SandboxID[:])
	if identity.String(who.Engine[:]) != "cri-o" || who.Flags&abi.WhoSandbox != 0 ||
		!identity.IsHexID(sandbox) || !path.IsAbs(bundle) {
		return
	}
	// CRI-O's storage keeps bundles in .../overlay-containers/ID/userdata.
	containers, last := path.Split(path.Dir(path.Clean(bundle)))
	if path.Base(path.Clean(bundle)) != "userdata" || !identity.IsHexID(last) {
		return
	}
	f, err := regular.OpenDirect(path.Join(containers, sandbox, "userdata", "config.json"))
	if err != nil {
		return
	}
	defer f.Close()
	if f.Size > sandboxLimit {
		who.Flags |= abi.WhoLabelsTruncated
		return
	}
	s, err := Parse(io.LimitReader(f, sandboxLimit), f.Size)
	if err != nil {
		return
	}
	identity.AddPodLabels(who, s.Annotations, rules)
	if s.Cut {
		who.Flags |= abi.WhoLabelsTruncated
	}
}
