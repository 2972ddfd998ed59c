// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Columns say what a line of text shows besides PCOMM, PID, PPID, RET and ARGS.
type Columns struct {
	Time bool // local time, to the millisecond
	Pod  bool // namespace, pod and container
}

// Widths of columns; what is longer pushes the rest of its line to the right.
const (
	widthTime      = len(timeLayout)
	widthNamespace = 14
	widthPod       = 24
	widthContainer = 16
	widthComm      = 16
	widthPID       = 6
	widthRet       = 3
)

const timeLayout = "2006-01-02 15:04:05.000"

// evicted stands for the names of a container that is not known any more.
const evicted = "<evicted>"

// AppendHeader appends the line above the columns.
func (c Columns) AppendHeader(dst []byte) []byte {
	if c.Time {
		dst = appendCell(dst, "TIME", widthTime)
	}
	if c.Pod {
		dst = appendCell(dst, "NAMESPACE", widthNamespace)
		dst = appendCell(dst, "POD", widthPod)
		dst = appendCell(dst, "CONTAINER", widthContainer)
	}
	dst = appendCell(dst, "PCOMM", widthComm)
	dst = appendCell(dst, "PID", widthPID)
	dst = appendCell(dst, "PPID", widthPID)
	return append(dst, "RET ARGS\n"...)
}

// AppendText appends an event as one line. The column PCOMM shows the name of the process
// itself, as tools of this kind do. ARGS is the path and the arguments behind the program's
// name, separated by spaces, and ends in "..." where some are missing. The program's name as
// the caller chose it is shown only behind a path that names none, such as /proc/self/exe.
func (c Columns) AppendText(dst []byte, e *Event) []byte {
	if c.Time {
		dst = appendCell(dst, e.Time.Local().Format(timeLayout), widthTime)
	}
	if c.Pod {
		namespace, pod, container := e.Namespace, e.Pod, e.Container
		if e.Evicted {
			namespace, pod, container = evicted, evicted, evicted
		} else if container == "" {
			container = labels.ShortID(e.ContainerID)
		}
		dst = appendCell(dst, namespace, widthNamespace)
		dst = appendCell(dst, pod, widthPod)
		dst = appendCell(dst, container, widthContainer)
	}
	dst = appendCell(dst, e.Comm, widthComm)
	dst = appendCell(dst, strconv.FormatUint(uint64(e.PID), 10), widthPID)
	dst = appendCell(dst, strconv.FormatUint(uint64(e.PPID), 10), widthPID)
	ret := strconv.FormatInt(int64(e.Ret), 10)
	for range widthRet - len(ret) {
		dst = append(dst, ' ')
	}
	dst = append(append(dst, ret...), ' ')
	dst = terminal.Append(dst, e.Path)
	args := e.Args
	if len(args) > 0 && !nameless(e.Path) {
		args = args[1:]
	}
	for _, arg := range args {
		dst = terminal.Append(append(dst, ' '), arg)
	}
	if e.Truncated || e.Fault {
		dst = append(dst, "..."...)
	}
	return append(dst, '\n')
}

// nameless tells whether a path leads to a program without naming it, as it does where
// a program of many names runs itself.
func nameless(path string) bool {
	return strings.HasPrefix(path, "/proc/self/") || strings.HasPrefix(path, "/dev/fd/")
}

// appendCell appends escaped text and fills it up to a width, and one space.
func appendCell(dst []byte, text string, width int) []byte {
	start := len(dst)
	if text == "" {
		text = "-"
	}
	dst = terminal.Append(dst, text)
	for range width - utf8.RuneCount(dst[start:]) {
		dst = append(dst, ' ')
	}
	return append(dst, ' ')
}
