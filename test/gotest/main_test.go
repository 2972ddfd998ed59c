// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	events := `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: of no interest\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (2.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":2}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB/part","Output":"=== RUN   TestB/part\n"}
{"Action":"output","Package":"p","Test":"TestB/part","Output":"    b_test.go:1: wrong\n"}
{"Action":"output","Package":"p","Test":"TestB/part","Output":"    --- FAIL: TestB/part (3.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestB/part","Elapsed":3}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- FAIL: TestB (3.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestB","Elapsed":3}
{"Action":"output","Package":"p","Test":"TestC","Output":"panic: odd\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t5.100s\n"}
{"Action":"fail","Package":"p","Elapsed":5.1}
{"ImportPath":"q","Action":"build-output","Output":"q.go:1: not Go\n"}
not JSON
{"Action":"output","Package":"github.com/runc-trace/runc-trace/r","Output":"PASS\n"}
{"Action":"output","Package":"github.com/runc-trace/runc-trace/r","Output":"ok  \tgithub.com/runc-trace/runc-trace/r\t1.000s\n"}
{"Action":"pass","Package":"github.com/runc-trace/runc-trace/r","Elapsed":1}
`
	const want = `    b_test.go:1: wrong
    --- FAIL: TestB/part (3.00s)
--- FAIL: TestB (3.00s)
FAIL	p	5.100s
panic: odd
q.go:1: not Go
not JSON
ok  	github.com/runc-trace/runc-trace/r	1.000s

longest durations:
    5.1 s  p
    3.0 s  p TestB
    2.0 s  p TestA
    1.0 s  r
`
	var out strings.Builder
	r := newReport(&out)
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	show(&out, r.longest)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
