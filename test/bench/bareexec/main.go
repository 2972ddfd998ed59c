// SPDX-License-Identifier: Apache-2.0

// Command bareexec only execs $BAREEXEC_TARGET with its own arguments: the minimum cost of a drop-in written in Go.
package main

import (
	"os"
	"syscall"
)

func main() {
	syscall.Exec(os.Getenv("BAREEXEC_TARGET"), os.Args, syscall.Environ())
	os.Exit(1)
}
