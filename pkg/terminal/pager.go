// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// Pager is a program that shows text on a terminal page by page.
type Pager struct {
	io.Writer        // to the pager, or to the output if there is no pager
	ran       func() // ends the pager
}

// NewPager starts the user's pager if an output is a terminal: $PAGER, or less -R. There is no pager if $PAGER is empty
// or "cat", or less is not installed. Under sudo, it is less without the commands that run other programs: the user may
// not be allowed to run these.
func NewPager(output io.Writer) (*Pager, error) {
	file, ok := Is(output)
	if !ok {
		return &Pager{Writer: output}, nil
	}
	p, err := startPager(file, os.LookupEnv)
	if err == nil && p.ran == nil {
		p.Writer = output
	}
	return p, err
}

// startPager starts the pager that an environment asks for.
func startPager(file *os.File, lookup func(string) (string, bool)) (*Pager, error) {
	command, given := lookup("PAGER")
	_, sudo := lookup("SUDO_UID")
	if sudo || !given {
		command = "less"
	}
	if _, err := exec.LookPath("less"); command == "" || command == "cat" || command == "less" && err != nil {
		return &Pager{Writer: file}, nil
	}
	options, _ := lookup("LESS")
	c := exec.Command("/bin/sh", "-c", command)
	c.Env = append(os.Environ(), "LESS="+cmp.Or(options, "FRX"))
	if sudo {
		c.Env = append(c.Env, "LESSSECURE=1", "LESS=FRX", "LESSOPEN=")
	}
	c.Stdout, c.Stderr = file, os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the pager: %w", err)
	}
	// The terminal sends Ctrl-C to this program, too, which must outlive the pager.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	if err := c.Start(); err != nil {
		signal.Stop(interrupted)
		return nil, fmt.Errorf("starting the pager %s: %w", command, err)
	}
	return &Pager{Writer: in, ran: func() {
		in.Close()
		_ = c.Wait() // how a pager ends does not matter
		signal.Stop(interrupted)
	}}, nil
}

// Close waits until the user has left the pager. err is that of the text's writer: that the user has left the pager
// before its end is not an error.
func (p *Pager) Close(err error) error {
	if p.ran == nil {
		return err
	}
	p.ran()
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// Colors reports whether text for an output may have colors: if it is a terminal, and the user has not set NO_COLOR.
func Colors(output io.Writer) bool {
	_, ok := Is(output)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
