// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// Columns selects the columns of the text format besides PCOMM, PID, PPID, RET and ARGS.
type Columns struct {
	Time timestamp.Style // empty: none
	Pod  bool            // namespace, pod and container
	// Container and Image are columns for hosts without pods. Container is the container's name, or its short ID.
	Container, Image bool
}

// Named returns the columns that identify the container of an exec, without those that are empty for all known
// containers: on hosts without pods, the pod's columns are. If Image is set, Named returns all columns.
func (c Columns) Named(known []*labels.Container) Columns {
	inPod := func(k *labels.Container) bool { return k.Namespace != "" || k.Pod != "" || k.InPod() }
	if !c.Pod || c.Image || len(known) == 0 || slices.ContainsFunc(known, inPod) {
		return c
	}
	c.Pod, c.Container = false, true
	c.Image = slices.ContainsFunc(known, func(k *labels.Container) bool { return k.Image != "" })
	return c
}

// Widths of columns. A longer cell moves the rest of its line to the right.
const (
	widthNamespace = 14
	widthPod       = 24
	widthContainer = 16
	widthImage     = 24
	widthComm      = 16
	widthPID       = 6
	widthRet       = 3
)

// evicted replaces the names of a container that is no longer known.
const evicted = "<evicted>"

// AppendHeader appends the header line.
func (c Columns) AppendHeader(dst []byte) []byte {
	if width := c.Time.Width(); width > 0 {
		dst = appendCell(dst, "TIME", width)
	}
	if c.Pod {
		dst = appendCell(dst, "NAMESPACE", widthNamespace)
		dst = appendCell(dst, "POD", widthPod)
		dst = appendCell(dst, "CONTAINER", widthContainer)
	}
	if c.Container {
		dst = appendCell(dst, "CONTAINER", widthContainer)
	}
	if c.Image {
		dst = appendCell(dst, "IMAGE", widthImage)
	}
	dst = appendCell(dst, "PCOMM", widthComm)
	dst = appendCell(dst, "PID", widthPID)
	dst = appendCell(dst, "PPID", widthPID)
	return append(dst, "RET ARGS\n"...)
}

// AppendText appends an event as one line. The column PCOMM shows the name of the process itself, as similar tools
// do. Text from a container is quoted unless it is plainly one word.
//
// ARGS is the path followed by the arguments, without args[0]. If the kernel started an interpreter, as for a
// script, it is the interpreter's arguments: `/bin/sh /entrypoint.sh --flag "a b"`. If args[0] is neither the path
// nor its last element, it is all arguments followed by the path: `-bash <path /bin/bash>`. A trailing "..." means
// that arguments were truncated; <unreadable> replaces those that could not be read, <not recorded> all of them.
func (c Columns) AppendText(dst []byte, e *Event) []byte {
	if width := c.Time.Width(); width > 0 {
		start := len(dst)
		if c.Time != timestamp.Relative {
			dst = c.Time.Append(dst, e.Time, 0)
		} else if e.Elapsed != nil {
			dst = c.Time.Append(dst, e.Time, time.Duration(*e.Elapsed))
		} else {
			dst = append(dst, '-')
		}
		dst = pad(dst, start, width)
	}
	container := e.Container
	if container == "" {
		container = labels.ShortID(e.ContainerID)
	}
	if c.Container && e.Pod != "" {
		container = e.Namespace + "/" + e.Pod + "/" + container
	}
	for _, cell := range []struct {
		shown bool
		text  string
		width int
	}{
		{c.Pod, e.Namespace, widthNamespace}, {c.Pod, e.Pod, widthPod}, {c.Pod || c.Container, container, widthContainer},
		{c.Image, e.Image, widthImage},
	} {
		switch {
		case !cell.shown:
		case e.Evicted:
			dst = appendCell(dst, evicted, cell.width)
		default:
			dst = appendWordCell(dst, cell.text, cell.width)
		}
	}
	dst = appendWordCell(dst, e.Comm, widthComm)
	dst = appendCell(dst, strconv.FormatUint(uint64(e.PID), 10), widthPID)
	dst = appendCell(dst, strconv.FormatUint(uint64(e.PPID), 10), widthPID)
	ret := strconv.FormatInt(int64(e.Ret), 10)
	for range widthRet - len(ret) {
		dst = append(dst, ' ')
	}
	return append(e.appendCommand(append(dst, ret...)), '\n')
}

// appendCommand appends the column ARGS, with a blank before each word.
func (e *Event) appendCommand(dst []byte) []byte {
	if e.Path == "" && len(e.Args) == 0 && e.ArgsTruncated {
		return append(dst, " <not recorded>"...)
	}
	args, called := e.Args, e.calledByPath()
	if called {
		dst = terminal.AppendWord(append(dst, ' '), e.Path)
		args = args[min(1, len(args)):]
	}
	cut := e.ArgsTruncated || e.Truncated && !e.PathTruncated
	for n, arg := range args {
		dst = append(dst, ' ')
		if cut && n == len(args)-1 {
			dst = append(terminal.AppendQuoted(dst, arg), "..."...)
		} else {
			dst = terminal.AppendWord(dst, arg)
		}
	}
	if cut && len(args) == 0 {
		dst = append(dst, " ..."...)
	}
	if e.Fault {
		dst = append(dst, " <unreadable>"...)
	}
	if called || e.Interpreted && slices.Contains(args, e.Path) || e.noPath() {
		return dst
	}
	dst = append(dst, " <path "...)
	if e.PathTruncated {
		dst = append(terminal.AppendQuoted(dst, e.Path), "..."...)
	} else {
		dst = terminal.AppendWord(dst, e.Path)
	}
	return append(dst, '>')
}

// calledByPath reports whether the path identifies the program: args[0] is the path or its last element, and no
// interpreter runs it.
func (e *Event) calledByPath() bool {
	switch {
	case e.PathTruncated || e.Interpreted || e.noPath():
		return false
	case len(e.Args) == 0 || e.Args[0] == e.Path:
		return true
	}
	last := e.Path[strings.LastIndexByte(e.Path, '/')+1:]
	return last != "" && e.Args[0] == last
}

// noPath reports whether the path could not be read. An empty path that the kernel read fails with ENOENT.
func (e *Event) noPath() bool {
	const enoent = -2
	return e.Fault && e.Path == "" && e.Ret != enoent
}

// appendWordCell appends text chosen by a container as one word that is not "-".
func appendWordCell(dst []byte, text string, width int) []byte {
	if text == "" {
		return appendCell(dst, text, width)
	}
	start := len(dst)
	return pad(terminal.AppendCell(dst, text), start, width)
}

// appendCell appends text that no container can choose, padded to a width, and one space.
func appendCell(dst []byte, text string, width int) []byte {
	start := len(dst)
	if text == "" {
		text = "-"
	}
	return pad(append(dst, text...), start, width)
}

func pad(dst []byte, start, width int) []byte {
	for range width - terminal.Width(dst[start:]) {
		dst = append(dst, ' ')
	}
	return append(dst, ' ')
}
