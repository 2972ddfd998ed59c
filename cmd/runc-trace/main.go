// SPDX-License-Identifier: Apache-2.0

// Command runc-trace is an OCI runtime that registers new containers, and leaves all other work to the real runtime.
package main

import (
	"os"

	"github.com/runc-trace/runc-trace/pkg/shim"
)

func main() { os.Exit(shim.Run(os.Args)) }
