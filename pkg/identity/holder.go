// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"encoding/binary"
	"math/bits"

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
	return uint16(sipHash(name, secret, secret) % abi.Holders)
}

// sipHash is SipHash-2-4 (https://www.aumasson.jp/siphash/siphash.pdf).
func sipHash(text string, k0, k1 uint64) uint64 {
	a, b, c, d := k0^0x736f6d6570736575, k1^0x646f72616e646f6d, k0^0x6c7967656e657261, k1^0x7465646279746573
	rounds := func(n int) {
		for range n {
			a, c = a+b, c+d
			b, d = bits.RotateLeft64(b, 13)^a, bits.RotateLeft64(d, 16)^c
			a = bits.RotateLeft64(a, 32)
			c, a = c+b, a+d
			b, d = bits.RotateLeft64(b, 17)^c, bits.RotateLeft64(d, 21)^a
			c = bits.RotateLeft64(c, 32)
		}
	}
	word := func(w uint64) {
		d ^= w
		rounds(2)
		a ^= w
	}
	rest := []byte(text)
	for ; len(rest) >= 8; rest = rest[8:] {
		word(binary.LittleEndian.Uint64(rest))
	}
	var last [8]byte
	copy(last[:], rest)
	last[7] = byte(len(text))
	word(binary.LittleEndian.Uint64(last[:]))
	c ^= 0xff
	rounds(4)
	return a ^ b ^ c ^ d
}
