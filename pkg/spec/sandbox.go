// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"path"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// TellPod adds the labels of its pod to a CRI-O container. bundle is the path at which the caller sees its bundle.
// Only the sandbox's spec has the labels. By default, CRI-O does not have the runtime make the sandbox
// (drop_infra_ctr in crio.conf(5)), but it writes the spec into a bundle beside the container's. The container's
// annotations have the sandbox's ID, and CRI-O overrides it last. If anything fails, only the labels are missing.
func TellPod(who *abi.Who, bundle string, rules identity.Rules) {
	sandbox := identity.String(who.SandboxID[:])
	if identity.String(who.Engine[:]) != "cri-o" || who.Flags&abi.WhoSandbox != 0 || !isCrioID(sandbox) || !path.IsAbs(bundle) {
		return
	}
	// CRI-O's storage keeps bundles in .../overlay-containers/ID/userdata.
	containers, last := path.Split(path.Dir(path.Clean(bundle)))
	if path.Base(path.Clean(bundle)) != "userdata" || !isCrioID(last) {
		return
	}
	f, err := regular.OpenDirect(path.Join(containers, sandbox, "userdata", "config.json"))
	if err != nil {
		return
	}
	defer f.Close()
	s, err := Parse(f, f.Size)
	if err != nil {
		return
	}
	identity.TellPod(who, s.Annotations, rules)
	if s.Cut {
		who.Flags |= abi.WhoLabelsTruncated
	}
}

// isCrioID reports whether text is an ID of CRI-O: 32 bytes in hexadecimal.
func isCrioID(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}
