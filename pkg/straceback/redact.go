// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/redact"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Redact overwrites the secrets in the recording, and returns how many there were. All that is shown of a Reading comes
// from these bytes, so no form of it has them afterwards.
func (r *Reading) Redact(t *redact.Table) int {
	n := r.Calls.Redact(t) + redactRecords(r.InFlight, r.Calls.Native, t)
	for _, open := range r.Live.Processes {
		for number, live := range open {
			if path, secrets := t.MaskString(live.Path); secrets > 0 {
				live.Path = path
				open[number] = live
				n += secrets
			}
		}
	}
	return n
}

// Redact overwrites the secrets in the records, and returns how many there were.
func (c *Calls) Redact(t *redact.Table) int { return redactRecords(c.Records, c.Native, t) }

// redactRecords decodes only records that may have a secret.
func redactRecords(records []Record, native syscalls.ABI, t *redact.Table) (n int) {
	call := syscalls.Call{Native: native}
	for i := range records {
		bytes := records[i].Bytes
		if len(bytes) <= abi.SizeofCall || !t.May(bytes[abi.SizeofCall:]) || call.Decode(bytes) != nil {
			continue
		}
		for _, p := range call.Captures {
			n += t.Mask(p.Data)
		}
	}
	return n
}
