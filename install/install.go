// SPDX-License-Identifier: Apache-2.0

// Package install embeds the files that packages and tracectl install.
package install

import _ "embed"

// Unit is the systemd unit that loads the programs before the engines start. It calls the tracectl in BinDir.
//
//go:embed runc-trace.service
var Unit string

// AgentUnit is the systemd unit of the agent, which is not enabled. It calls the tracectl in BinDir.
//
//go:embed runc-trace-agent.service
var AgentUnit string

// BinDir is the directory for programs that no package provides.
const BinDir = "/opt/runc-trace/bin"
