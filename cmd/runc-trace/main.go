// SPDX-License-Identifier: Apache-2.0

// Command runc-trace is an OCI runtime that registers the containers it is asked for,
// and leaves everything else to the real runtime.
package main

import (
	"os"

	"github.com/runc-trace/runc-trace/pkg/shim"
)

func main() { os.Exit(shim.Run(os.Args)) }
