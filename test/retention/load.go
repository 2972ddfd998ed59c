// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// clients is the number of connections that fetch and memcache keep busy.
const clients = 4

// breath is the time between two requests of one client: the servers share two CPUs.
const breath = 2 * time.Millisecond

// address returns the address that the server listens on.
func (s *server) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// command returns a load that is a program, which runs until it is stopped.
func command(name string, args ...string) func(*server, <-chan struct{}) error {
	return func(s *server, stop <-chan struct{}) error {
		own := make([]string, len(args))
		for i, arg := range args {
			own[i] = strings.ReplaceAll(arg, "PORT", fmt.Sprint(s.port))
		}
		c := exec.Command(name, own...)
		if err := c.Start(); err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		select {
		case err := <-ended:
			return fmt.Errorf("%s ended: %w", name, err)
		case <-stop:
			c.Process.Kill()
			<-ended
			return nil
		}
	}
}

func pgbench(s *server, stop <-chan struct{}) error {
	at := []string{"-h", "127.0.0.1", "-p", fmt.Sprint(s.port), "-U", "nobody", "postgres"}
	deadline := time.Now().Add(time.Minute)
	for { // it listens before it is ready
		_, err := output("pgbench", append([]string{"-i", "-q"}, at...)...)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(time.Second)
	}
	return command("pgbench", append([]string{"-c", "2", "-T", "100000", "-R", "200"}, at...)...)(s, stop)
}

// fetch requests some thousand files, again and again, and one in a hundred that does not exist.
func fetch(s *server, stop <-chan struct{}) error {
	files := pages(4000)
	return loop(stop, func(client, n int) error {
		path := files[(n*clients+client)%len(files)]
		if n%100 == 99 {
			path = fmt.Sprintf("/missing/%d", n%5000)
		}
		r, err := http.Get("http://" + s.address() + path)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		_, err = io.Copy(io.Discard, r.Body)
		return err
	})
}

func memcache(s *server, stop <-chan struct{}) error {
	connections := make([]*bufio.ReadWriter, clients)
	for i := range connections {
		c, err := net.Dial("tcp", s.address())
		if err != nil {
			return err
		}
		defer c.Close()
		connections[i] = bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c))
	}
	return loop(stop, func(client, n int) error {
		c := connections[client]
		fmt.Fprintf(c, "set key%d 0 0 5\r\nhello\r\n", n%1000)
		c.Flush()
		_, err := c.ReadString('\n')
		return err
	})
}

// loop calls request from several clients until stop is closed. It reports the first error only to stderr: a server may
// be frozen or killed meanwhile.
func loop(stop <-chan struct{}, request func(client, n int) error) error {
	failed := make(chan error, clients)
	for client := range clients {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					failed <- nil
					return
				default:
				}
				if err := request(client, n); err != nil {
					failed <- err
					return
				}
				time.Sleep(breath)
			}
		}()
	}
	for range clients {
		if err := <-failed; err != nil {
			fmt.Fprintln(os.Stderr, "retention: a client:", err)
		}
	}
	return nil
}
