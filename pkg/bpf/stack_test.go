// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// The functions of a call chain share these before Linux 6.13, which gives each a stack of its own.
const (
	stackSize = 512 // bytes
	frames    = 8
)

// function is what the verifier's check_max_stack_depth() wants to know of a function.
type function struct {
	frame int // bytes
	calls []string
}

// TestStackDepth checks what the verifier of the oldest kernels would refuse, since newer ones accept it.
func TestStackDepth(t *testing.T) {
	for _, object := range []string{"recorder_x86_bpfel.o", "recorder_arm64_bpfel.o"} {
		data, err := os.ReadFile(object)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		deepest := 0
		for name, program := range spec.Programs {
			depth, chain := deepestCall(functions(program.Instructions), name)
			if depth > stackSize || len(chain) > frames {
				t.Errorf("%s: these take %d bytes of stack in %d frames, more than %d in %d: %s", object, depth,
					len(chain), stackSize, frames, strings.Join(chain, ", "))
			}
			deepest = max(deepest, depth)
		}
		if deepest == 0 {
			t.Errorf("%s has no program that uses the stack", object)
		}
	}
}

// functions splits a program's instructions.
func functions(instructions asm.Instructions) map[string]*function {
	all := map[string]*function{}
	var f *function
	var fromStack asm.Register // the register that the instruction before set to the frame pointer
	for _, i := range instructions {
		if name := i.Symbol(); name != "" {
			f = &function{}
			all[name] = f
			fromStack = 0
		}
		class := i.OpCode.Class()
		switch {
		case class.IsLoad() && i.Src == asm.R10, class.IsStore() && i.Dst == asm.R10:
			f.frame = max(f.frame, -int(i.Offset))
		case class.IsALU() && i.OpCode.ALUOp() == asm.Add && i.Dst == fromStack && i.Constant < 0:
			f.frame = max(f.frame, -int(i.Constant))
		}
		fromStack = 0
		if class.IsALU() && i.OpCode.ALUOp() == asm.Mov && i.OpCode.Source() == asm.RegSource && i.Src == asm.R10 {
			fromStack = i.Dst
		}
		if i.IsFunctionReference() {
			f.calls = append(f.calls, i.Reference())
		}
	}
	return all
}

// deepestCall returns the bytes of stack that a function and those that it calls take, as the kernel counts.
func deepestCall(all map[string]*function, name string) (depth int, chain []string) {
	for _, called := range all[name].calls {
		if d, c := deepestCall(all, called); d > depth {
			depth, chain = d, c
		}
	}
	return depth + (max(all[name].frame, 1)+31)/32*32, append([]string{name}, chain...)
}
