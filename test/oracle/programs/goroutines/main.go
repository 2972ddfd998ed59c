// SPDX-License-Identifier: Apache-2.0

// Command goroutines uses goroutines, files, the network, signals and other programs.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(5)
}

func run() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(connection, connection)
				connection.Close()
			}()
		}
	}()
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			if err := echo(listener.Addr().String(), n); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	group.Wait()
	listener.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		return err
	}
	<-signals
	text, err := exec.Command("/bin/echo", "hello").Output()
	fmt.Printf("%s", text)
	return err
}

func echo(address string, n int) error {
	path := filepath.Join("/tmp", fmt.Sprint(n))
	if err := os.WriteFile(path, []byte(path), 0o644); err != nil {
		return err
	}
	defer os.Remove(path)
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	fmt.Fprintln(connection, path)
	_, err = connection.Read(make([]byte, 100))
	return err
}
