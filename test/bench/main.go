// SPDX-License-Identifier: Apache-2.0

// Command bench measures the cost of tracing and prints tables for docs/benchmarks.md. The variants of a comparison
// take turns in random order within one run, round after round, so what else the machine does affects all of them.
//
// Usage: bench calls|classes|kept|load|shim|answers|cluster [-rounds N] [-old DIR]
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sort"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -cflags "-O2 -Wall -Werror -Wno-unused-parameter -mcpu=v3" -no-global-types floors bpf/floors.bpf.c

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var commands = map[string]func(rounds int, old string) error{
	"calls":   benchCalls,
	"classes": benchClasses,
	"kept":    benchKept,
	"shim":    benchShim,
	"load":    benchLoad,

	"answers": benchAnswers,
	"cluster": benchCluster,
}

func run(args []string) error {
	if len(args) > 0 {
		switch args[0] { // processes that bench starts itself
		case "worker":
			return work(args[1:])
		case "cluster-server", "cluster-client":
			return workCluster(args[0], args[1:])
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	old := flags.String("old", "", "calls, classes, load, shim: compare with the build in this directory (its bin/tracectl and bin/runc-trace)")
	rounds := flags.Int("rounds", 0, "interleaved rounds (0: as many as the benchmark needs)")
	if len(args) == 0 {
		return errors.New("which one: calls, classes, kept, load, shim, answers or cluster?")
	}
	command, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("no benchmark %q: there are calls, classes, kept, load, shim, answers and cluster", args[0])
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	return command(*rounds, *old)
}

func percentile(values []float64, p int) float64 {
	sort.Float64s(values)
	return values[(len(values)-1)*p/100]
}

func median(values []float64) float64 {
	return percentile(values, 50)
}
