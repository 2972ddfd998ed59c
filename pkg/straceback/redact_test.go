// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/redact"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

func secretsTable(t testing.TB) *redact.Table {
	t.Helper()
	table, err := redact.New(true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestRedact masks what records, calls in flight and descriptors of living processes have.
func TestRedact(t *testing.T) {
	record := func(text string) []Record {
		write := call(1, "write", 0, 100)
		write.NArgs, write.Args, write.Result = 3, [6]uint64{4, 0xc000, uint64(len(text))}, int64(len(text))
		write.Captures = []syscalls.Capture{{Arg: 1, Data: []byte(text)}}
		return []Record{{Bytes: recordtest.Append(nil, &write)}}
	}
	r := Reading{
		Calls: &Calls{Records: append(record("password=abc rest"), record("nothing")...)}, InFlight: record("token: xyz"),
		Live: Snapshot{Processes: map[uint32]map[int32]Live{
			1: {
				3: {Descriptor: syscalls.Descriptor{Path: "/tmp/a?token=def"}},
				4: {Descriptor: syscalls.Descriptor{Path: "/x"}},
			},
		}},
	}
	if n := r.Redact(secretsTable(t)); n != 3 {
		t.Errorf("%d secrets were masked", n)
	}
	var shown strings.Builder
	for e := range r.Timeline(true).Events {
		shown.Write((&Format{}).AppendLine(nil, e))
	}
	shown.Write(r.InFlight[0].Bytes)
	shown.WriteString(r.Live.Processes[1][3].Path)
	for _, want := range []string{`"password=*** rest"`, `"nothing"`, "token: ***", "/tmp/a?token=***"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("no %s in %s", want, shown.String())
		}
	}
	if n := r.Redact(nil); n != 0 {
		t.Errorf("without a table, %d secrets were masked", n)
	}
}

// BenchmarkRedact looks for secrets in records that have none.
func BenchmarkRedact(b *testing.B) {
	var records []Record
	for i := range uint64(10000) {
		write := call(1, "write", i*1000, i*1000+100)
		write.NArgs, write.Args, write.Result = 3, [6]uint64{4, 0xc000, 20}, 20
		write.Captures = []syscalls.Capture{{Arg: 1, Data: []byte(`{"type":"procReady"}`)}}
		records = append(records, Record{Bytes: recordtest.Append(nil, &write)})
	}
	calls, table := &Calls{Records: records}, secretsTable(b)
	b.ReportAllocs()
	for b.Loop() {
		calls.Redact(table)
	}
	b.ReportMetric(float64(len(records)*b.N)/b.Elapsed().Seconds(), "records/s")
}
