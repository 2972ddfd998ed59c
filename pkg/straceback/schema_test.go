// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

func callSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(CallSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("call", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("call")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSchema checks lines of JSON against their schema: of each call of each ABI, with registers and memory of any
// content.
func TestSchema(t *testing.T) {
	schema := callSchema(t)
	random := rand.New(rand.NewPCG(1, 2))
	f := Format{Container: "0123abcd", Boot: time.Unix(1e9, 0)}
	lines, types := 0, map[string]bool{}
	check := func(c syscalls.Call) {
		timeline := NewTimeline(records(c), nil)
		for e := range timeline.Calls {
			line, err := f.AppendJSON(nil, e)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
			if err != nil {
				t.Fatalf("%v\n%s", err, line)
			}
			if err := schema.Validate(value); err != nil {
				t.Fatalf("%v\n%s", err, line)
			}
			lines++
			for _, word := range strings.Split(string(line), `"type":"`)[1:] {
				types[word[:strings.IndexByte(word, '"')]] = true
			}
		}
	}
	for _, of := range []syscalls.ABI{syscalls.AMD64, syscalls.I386, syscalls.X32} {
		for nr := range syscalls.Nr(abi.NumberMask) {
			s, ok := syscalls.Lookup(of, nr)
			if !ok {
				continue
			}
			for range 4 {
				check(randomCall(random, of, nr, len(s.Args)))
			}
		}
	}
	for _, c := range []syscalls.Call{
		{Nr: syscalls.NumberNone, Unfinished: true, Result: 11 | 0x80},
		{Nr: syscalls.NumberNone, Unfinished: true, Result: 256},
		{Nr: syscalls.NumberSignal, NArgs: abi.SignalArgs, Args: [6]uint64{11, 1, 8, 0, 1}},
	} {
		c.Native, c.ABI = syscalls.AMD64, syscalls.AMD64
		check(c)
	}
	if t.Logf("%d lines, values of %d types", lines, len(types)); len(types) < 25 {
		t.Errorf("only values of these types: %v", types)
	}
}

// randomCall returns a call with small and large arguments, and memory that these point to.
func randomCall(random *rand.Rand, of syscalls.ABI, nr syscalls.Nr, args int) syscalls.Call {
	c := syscalls.Call{Native: syscalls.AMD64, ABI: of, Nr: nr, NArgs: args, TID: 1, PID: 1,
		Result: random.Int64N(200) - 50}
	for i := range args {
		if c.Args[i] = random.Uint64N(40); random.IntN(2) == 0 {
			c.Args[i] = uint64(int32(random.Uint32()))
		}
		for range random.IntN(3) {
			data := make([]byte, random.IntN(160))
			for at := range data {
				data[at] = byte(random.IntN(256) >> random.IntN(9))
			}
			c.Captures = append(c.Captures, syscalls.Capture{Arg: i, Part: random.IntN(4) * random.IntN(4), Data: data,
				Output: random.IntN(2) == 0, Truncated: random.IntN(4) == 0, Fault: random.IntN(8) == 0,
				Late: random.IntN(8) == 0, Kernel: random.IntN(8) == 0})
		}
	}
	return c
}
