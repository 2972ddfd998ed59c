// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
)

const netLong = `Print what a container did on the network and with unix sockets, on one screen: each
address that it connected to, sent to, listened on, or took connections from, how often,
how many bytes it sent and received, how long the calls took, and which processes did it;
the connections that failed; and the DNS questions that it asked, with the responses.

WAY is "to" for an address that it connected or sent to, "on" for one of its own, and
"from" for a host whose connections it accepted. "within" has no address: both ends of a
pair of sockets are the container's own, or the kernel is the other end. Of a connection
that went on while the program did something else, the error is the one that getsockopt
told; "outcome not kept" says that no call told it. Errors such as EAGAIN are left out.

DNS questions and responses are read from what was recorded of messages to and from port
53, by UDP and TCP: by default, the first 128 bytes. "(more was not recorded)" follows a
response that is longer. The time is that until the response.

"Unknown" is what was sent and received by sockets of which no address is known, such as
those that were connected before every call was recorded. Of calls that are overwritten,
only new ones are left: most connections, but few sends and receives. Then "Covers" says
how many are kept of all that the container made; reads and writes are also those of files.

The flags that select calls are those of "straceback show". An address is printed for the
calls that match.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
shown; --previous selects an earlier one.`

func newNet(r reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "net NAME",
		Short: "Print what a container did on the network",
		Long:  netLong,
		Example: `  tracectl net default/mypod
  tracectl net mypod --address 10.0.0.0/8 --all
  tracectl net mypod --failed --sort last
  tracectl net mypod -o json | jq '.questions[] | select(.responses[].code == "NXDOMAIN") | .name'`,
		Args: exactly(1),
	}
	order := addUsageOrder(c)
	all := c.Flags().Bool("all", false, "print all addresses, questions and columns, not only one screen")
	var calls callFlags
	calls.add(c)
	net := func(p *answers.Past) *answers.Net {
		return p.Net(calls.counting(p), answers.UsageOrder(order.word))
	}
	addAnswer(c, r, func(p *answers.Past, to io.Writer) error {
		screen := answers.NetScreen{All: *all,
			Screen: screenFor(to)}
		return screen.Write(to, net(p))
	}, func(p *answers.Past) (any, error) { return net(p).JSON(), nil })
	return c
}
