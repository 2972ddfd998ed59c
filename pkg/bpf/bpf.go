// SPDX-License-Identifier: Apache-2.0

// Package bpf is the contract with the kernel: it loads, pins, opens and removes the eBPF programs and maps, and gives
// the maps their Go types. Names of pins and sizes of maps appear only here and in package abi.
package bpf

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -cflags "-O2 -Wall -Wextra -Werror -Wno-unused-parameter -mcpu=v3" -no-global-types recorder ../../bpf/recorder.bpf.c

//go:generate sh -c "clang-19 -target bpf -g -O2 -Wno-gnu-variable-sized-type-not-at-end -c ../../bpf/contract.c -o contract.tmp.o && go run ./genabi contract.tmp.o abi/zz_contract.go && rm contract.tmp.o"
