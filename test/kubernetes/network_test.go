// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/runc-trace/runc-trace/test/machine"
)

// Addresses in the cluster's network, which ends at the control plane's machine: that machine bridges the links of
// the nodes. It also has the service address of the API server, so that no address has to be translated.
const (
	controlAddress = "10.78.0.1"
	serviceAddress = "10.96.0.1"
	services       = "10.96.0.0/16"
)

// nodeAddress returns the address of a node, counted from 0; podRange returns the range of its pods.
func nodeAddress(i int) string { return fmt.Sprintf("10.78.0.%d", 10+i) }
func podRange(i int) string    { return fmt.Sprintf("10.244.%d.0/24", i) }

// connect makes the cluster's network out of network namespaces.
func connect(control *machine.Machine, nodes []*machine.Machine) error {
	bridge := []string{
		"link add nodes type bridge",
		"addr add " + controlAddress + "/24 dev nodes",
		"link set nodes up",
		"addr add " + serviceAddress + "/32 dev lo",
	}
	for i, n := range nodes {
		bridge = append(bridge,
			fmt.Sprintf("link add node-%d type veth peer name eth0 netns %d", i, n.PID),
			fmt.Sprintf("link set node-%d master nodes up", i),
			"route add "+podRange(i)+" via "+nodeAddress(i))
	}
	if err := configure(control, bridge); err != nil {
		return err
	}
	for i, n := range nodes {
		link := []string{"addr add " + nodeAddress(i) + "/24 dev eth0", "link set eth0 up",
			"route add default via " + controlAddress}
		for j := range nodes {
			if j != i {
				link = append(link, "route add "+podRange(j)+" via "+nodeAddress(j))
			}
		}
		if err := configure(n, link); err != nil {
			return err
		}
	}
	return nil
}

// configure runs ip commands in a machine's network, and enables forwarding there. It enters no other namespace of
// the machine: process IDs are those outside.
func configure(m *machine.Machine, commands []string) error {
	c := exec.Command("nsenter", "--target", strconv.Itoa(m.PID), "--net", "--", "sh", "-c",
		"echo 1 >/proc/sys/net/ipv4/ip_forward && exec ip -batch -")
	c.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("configuring a network: %w\n%s", err, text)
	}
	return nil
}
