// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"path"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// TellPod adds the labels of its pod to a container of CRI-O's. bundle is where the caller sees the container's.
// By default CRI-O never has the runtime make a pod's sandbox, whose spec alone has them (drop_infra_ctr in
// crio.conf(5)), but writes that spec, in a bundle beside the container's. The sandbox's ID is of the container's
// annotations, where CRI-O has the last word. Whatever is wrong costs the labels.
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
