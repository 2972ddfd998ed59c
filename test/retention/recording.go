// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// record is a line of `tracectl straceback show -o json`.
type record struct {
	Time     time.Time  `json:"time"`
	Duration *uint64    `json:"duration"`
	PID      int        `json:"pid"`
	Lane     string     `json:"lane"`
	Count    uint64     `json:"count"`
	LastTime *time.Time `json:"lastTime"`
	Syscall  string     `json:"syscall"`
	Ret      *int64     `json:"ret"`
	File     *struct {
		Path string `json:"path"`
	} `json:"file"`
	Args []struct {
		Name  string  `json:"name"`
		Value string  `json:"value"`
		Data  *string `json:"data"`
	} `json:"args"`
}

// end returns when the call ended, or its start if it has not.
func (r *record) end() time.Time {
	if r.Duration == nil {
		return r.Time
	}
	return r.Time.Add(time.Duration(*r.Duration))
}

// key returns the deed that it is a record of.
func (r *record) key() key {
	k := key{call: r.Syscall, what: r.names()}
	if r.Ret != nil && *r.Ret < 0 && *r.Ret > -512 {
		k.errno = -int(*r.Ret)
	}
	return k
}

// names returns what the call names: the first path or address, in the form of deed.what.
func (r *record) names() string {
	for arg, names := range named {
		if slices.Contains(names, r.Syscall) && arg < len(r.Args) && r.Args[arg].Data != nil {
			text := *r.Args[arg].Data
			return text[:min(len(text), textSize-1)]
		}
	}
	if slices.Contains(addressed, r.Syscall) && len(r.Args) > 1 && r.Args[1].Data != nil {
		return shownAddress(*r.Args[1].Data)
	}
	return ""
}

var (
	inet  = regexp.MustCompile(`sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]*)"`)
	inet6 = regexp.MustCompile(`sin6_port=htons\((\d+)\).*inet_pton\(AF_INET6, "([^"]*)"`)
	local = regexp.MustCompile(`sun_path=(@?)"([^"]*)"`)
)

// shownAddress returns an address as strace shows it in the form of the witness's.
func shownAddress(text string) string {
	if m := inet.FindStringSubmatch(text); m != nil {
		return m[2] + ":" + m[1]
	}
	if m := inet6.FindStringSubmatch(text); m != nil {
		return "[" + m[2] + "]:" + m[1]
	}
	if m := local.FindStringSubmatch(text); m != nil {
		return "unix " + m[1] + m[2]
	}
	return text
}

// recording is what tracectl tells of a container.
type recording struct {
	records []record
	listed  struct {
		Overwritten uint64 `json:"overwritten"`
		Lost        uint64 `json:"lost"`
		Lanes       map[string]struct {
			Syscalls int        `json:"syscalls"`
			Lapped   bool       `json:"lapped"`
			Oldest   *time.Time `json:"oldest"`
			Newest   *time.Time `json:"newest"`
		} `json:"lanes"`
		Totals []struct {
			Syscall string `json:"syscall"`
			Count   uint64 `json:"count"`
		} `json:"totals"`
	}
}

// read asks tracectl for all that it knows of a container.
func (b *bench) read(id string) (*recording, error) {
	r := &recording{}
	list := func(line *json.Decoder) error { return line.Decode(&r.listed) }
	err := b.lines(list, "straceback", "list", "-o", "json", id)
	if err != nil {
		return nil, err
	}
	return r, b.lines(func(line *json.Decoder) error {
		var one record
		err := line.Decode(&one)
		r.records = append(r.records, one)
		return err
	}, "straceback", "show", "-o", "json", id)
}

// lines calls decode for each object that tracectl prints.
func (b *bench) lines(decode func(*json.Decoder) error, args ...string) error {
	c := exec.Command(b.tracectl, args...)
	c.Env = b.environment
	var stderr strings.Builder
	c.Stderr = &stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	d := json.NewDecoder(bufio.NewReaderSize(stdout, 1<<20))
	for err == nil {
		err = decode(d)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if ended := c.Wait(); err == nil && ended != nil {
		err = fmt.Errorf("tracectl %s: %w: %s", strings.Join(args, " "), ended, stderr.String())
	}
	return err
}
