// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"github.com/dchest/siphash"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// SetHolders sets the hashes that tell the pods and the namespaces apart that share the recordings. secret is that of
// the loaded programs: nobody else can make two names collide. Call it last: it uses the other fields.
//
// A namespace counts only if a Kubernetes engine says it. Elsewhere the user who starts a container can annotate it
// with any namespace, and would have a share for each, so the engine counts instead.
func SetHolders(who *abi.Who, secret uint64) {
	engine := String(who.Engine[:])
	namespace := "engine/" + engine
	if engine == containerd.engine || engine == crio.engine {
		namespace += "/" + String(who.Namespace[:])
	}
	pod := who.PodUID[:]
	for _, other := range [][]byte{who.SandboxID[:], who.Container[:], who.ID[:]} {
		if pod[0] == 0 {
			pod = other
		}
	}
	who.NamespaceHash = holder(namespace, secret)
	who.PodHash = holder(namespace+"\x00"+String(pod), secret)
}

func holder(name string, secret uint64) uint16 {
	return uint16(siphash.Hash(secret, secret, []byte(name)) % abi.Holders)
}
