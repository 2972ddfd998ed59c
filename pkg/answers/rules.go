// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// A rule looks for causes of one kind.
type rule struct {
	name, because string
	find          func(w *Why) []Cause
}

// rules are all rules. Their causes are ordered by weight: 12 and more if the kernel itself said so, 6 and more if they
// are likely.
var rules = []rule{
	{"out-of-memory", "the kernel killed a task because memory ran out", outOfMemory},
	{"signal", "a signal killed the process with which the end began", signalled},
	{"asked-to-stop", "a process outside of the container sent a signal that asks it to end", askedToStop},
	{"not-started", "the container ended before its program was executed", notStarted},
	{"failed-call", "", failedCalls},
	{"said", "the last line that it wrote to standard error looks like a reason", saidSo},
	{"child", "a process that it had started failed shortly before", childFailed},
	{"in-vain", "it waited for a time, nothing came, and it ended", waitedInVain},
	{"probe", "a command that came from outside failed before the container was asked to end", probeFailed},
	{"empty", "it read nothing from a file that it had opened, shortly before the end", emptyFile},
	{"finished", "it exited with code 0", finished},
	{"stuck", "it has been in a call for long", stuck},
}

func outOfMemory(w *Why) (found []Cause) {
	for _, f := range w.past.Facts {
		if !f.Call.OutOfMemory || !f.Call.Unfinished {
			continue
		}
		weight := 20.0
		if w.Ending.Exited && w.code() != 137 && !w.Ending.Status.CoreDumped {
			weight = 7
		}
		found = []Cause{{Certainty: Certain, weight: weight, Evidence: w.with(f),
			Title: "out of memory: the kernel killed " + name(f.Process) + " (OOM)"}}
	}
	return found
}

// faults are what signals mean that a program's own fault sends.
var faults = map[string]string{
	"SIGSEGV": "it accessed memory that it has not",
	"SIGBUS":  "it accessed memory behind the end of a mapped file, or memory that could not be had",
	"SIGILL":  "it executed an instruction that the CPU does not have",
	"SIGFPE":  "it divided by zero, or another calculation failed",
	"SIGTRAP": "it ran into a breakpoint",
	"SIGABRT": "it aborted itself: a failed assertion, or an error that it did not expect",
	"SIGPIPE": "it wrote to a pipe or a socket whose other end was closed",
	"SIGXFSZ": "it wrote more to a file than its limit allows (RLIMIT_FSIZE)",
	"SIGXCPU": "it used more CPU time than its limit allows (RLIMIT_CPU)",
	"SIGSYS":  "seccomp's rules forbid a call that it made",
	"SIGALRM": "a timer of its own ran out (alarm, setitimer)",
}

// signalled explains the signal that killed the culprit.
func signalled(w *Why) []Cause {
	if w.Culprit == nil || w.Culprit.Ended == 0 || w.Culprit.Status().Signal == "" || w.Culprit.OutOfMemory {
		return nil
	}
	signal := w.Culprit.Status().Signal
	c := Cause{Certainty: Certain, weight: 15, Title: fmt.Sprintf("%s killed %s", signal, name(w.Culprit))}
	if why := faults[signal]; why != "" {
		c.Title += ": " + why
	}
	for _, f := range slices.Backward(w.past.Facts) {
		if f.Process != w.Culprit {
			continue
		}
		if f.Call.Unfinished && len(c.Evidence) == 0 {
			c.Evidence = append(c.Evidence, Evidence{Fact: f, Note: w.before(f)})
			continue
		}
		if s := f.Call.Syscall(); signal == "SIGSYS" && s != nil && f.Call.NoEnter {
			c.Title = "SIGSYS killed " + name(w.Culprit) + ": seccomp's rules forbid " + s.Name
			c.Evidence = slices.Insert(c.Evidence, 0, Evidence{Fact: f})
			break
		}
		d, ok := f.Call.Delivery()
		if !ok || d.Signal != signal {
			continue
		}
		c.Evidence = slices.Insert(c.Evidence, 0, Evidence{Fact: f})
		if at, err := strconv.ParseUint(d.Address, 0, 64); err == nil && signal == "SIGSEGV" {
			switch {
			case at < 1<<16:
				c.Title = fmt.Sprintf("SIGSEGV killed %s: it used a NULL pointer (address %#x)", name(w.Culprit), at)
			default:
				c.Title += fmt.Sprintf(" (address %#x)", at)
			}
		}
		if s := d.Sender; s != nil && s.PID != w.Culprit.PID {
			c.Title = fmt.Sprintf("%s from %s killed %s", signal, w.sender(s), name(w.Culprit))
		}
		if signal != "SIGSYS" {
			break
		}
	}
	return []Cause{c}
}

// sender describes who sent a signal.
func (w *Why) sender(s *syscalls.Sender) string {
	where := "outside of the container"
	pid := fmt.Sprintf("host pid %d", s.PID)
	for _, p := range w.past.Processes {
		if p.PID == s.PID {
			pid = strconv.FormatUint(uint64(max(p.Inner, 0)), 10)
		}
	}
	if w.inside(s) {
		where = "of the container"
	}
	return fmt.Sprintf("%s[%s], a process %s,", terminal.Cell(s.Comm), pid, where)
}

// askedToStop has a signal that the init took from outside, if it ended soon. SIGKILL does not ask.
func askedToStop(w *Why) []Cause {
	f, d := w.stopped()
	if f == nil || d.Signal == "SIGKILL" {
		return nil
	}
	return []Cause{{Certainty: Certain, weight: 12, Evidence: w.with(f),
		Title: fmt.Sprintf("%s from %s asked it to end", d.Signal, w.sender(d.Sender))}}
}

// stopped returns the signal from outside of the container that ended it, or nil.
func (w *Why) stopped() (*Fact, syscalls.Delivery) {
	const soon = 60e9
	for _, f := range slices.Backward(w.past.Facts) {
		d, ok := f.Call.Delivery()
		if !ok || !w.Ending.Exited || f.Process != w.past.Init() || d.Sender == nil || w.inside(d.Sender) {
			continue
		}
		switch d.Signal {
		case "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL":
			if f.Call.Time+soon > w.Ending.At {
				return f, d
			}
		}
	}
	return nil, syscalls.Delivery{}
}

// notStarted explains why the runtime could not execute the program: the last thing that it looked for.
func notStarted(w *Why) []Cause {
	if w.Ending.Started || !w.Ending.Exited {
		return nil
	}
	c := Cause{weight: 12, Certainty: Certain,
		Title: "the container runtime failed before it executed the program: the engine's log says why"}
	for _, f := range slices.Backward(w.past.Facts) {
		s := f.Call.Syscall()
		if s == nil || f.Errno == 0 || f.Lane != straceback.Runtime ||
			!has(executes+" chdir stat newfstatat statx access faccessat faccessat2", s.Name) {
			continue
		}
		what := "its program"
		if s.Name == "chdir" {
			what = "its working directory"
		}
		c.Title = fmt.Sprintf("%s %s cannot be used: %s", what, terminal.String(f.Subject), message(f.Errno))
		c.Evidence = w.with(f)
		if n := w.searched(f); n > 1 {
			c.Title = fmt.Sprintf("its program %s is in none of the %d directories of PATH",
				terminal.String(base(f.Subject)), n)
		}
		break
	}
	return []Cause{c}
}

// searched returns in how many directories the runtime looked for a file.
func (w *Why) searched(f *Fact) (n int) {
	for _, g := range w.past.Facts {
		if g.Lane == straceback.Runtime && g.Errno == f.Errno && base(g.Subject) == base(f.Subject) {
			n++
		}
	}
	return n
}

// childFailed has a child that failed before its parent did, with another code.
func childFailed(w *Why) []Cause {
	if w.Culprit == nil || len(w.Via) == 0 {
		return nil
	}
	c := Cause{weight: 4, Title: fmt.Sprintf("%s, which %s had started, %s", command(w.Culprit),
		name(w.Via[len(w.Via)-1]), ended(w.Culprit))}
	for _, f := range w.past.Facts {
		if f.Process == w.Culprit && f.Call.Unfinished {
			c.Evidence = w.with(f)
		}
	}
	return []Cause{c}
}

// emptyFile has the last file that the culprit read, if nothing was in it.
func emptyFile(w *Why) []Cause {
	const soon = 1e9
	for _, f := range slices.Backward(w.past.Facts) {
		s := f.Call.Syscall()
		if f.Process != w.Culprit || s == nil || s.Name != "read" && s.Name != "pread64" || f.Errno != 0 ||
			f.Call.Result != 0 || f.Part == straceback.InFlight || f.End()+soon < w.end() {
			continue
		}
		c := Cause{weight: 6, Title: terminal.String(f.Subject) + " is empty", Evidence: w.with(f)}
		switch {
		case f.Call.Args[0] == 0:
			c.Title = "its standard input ended at once"
			if f.Subject != "" {
				c.Title += ": it is " + terminal.String(f.Subject)
			}
		case !strings.HasPrefix(f.Subject, "/") || strings.HasPrefix(f.Subject, "/proc/"):
			continue
		}
		return []Cause{c}
	}
	return nil
}

// waitedInVain has the last wait of the culprit that ended without anything to do.
func waitedInVain(w *Why) []Cause {
	const soon = 2e9
	for _, f := range slices.Backward(w.past.Facts) {
		s := f.Call.Syscall()
		if f.Process != w.Culprit || s == nil || f.Call.Event() || !inVain(&f.Event, s.Name) || f.End()+soon < w.end() ||
			w.Ending.Expected {
			continue
		}
		took := brief(time.Duration(f.Call.Duration))
		c := Cause{weight: 4, Evidence: w.with(f),
			Title: fmt.Sprintf("%s waited %s in %s, and nothing came", name(f.Process), took, s.Name)}
		if f.Subject != "" {
			c.weight = 7
			c.Title = fmt.Sprintf("%s did not answer %s for %s", terminal.String(f.Subject), name(f.Process), took)
		}
		return []Cause{c}
	}
	return nil
}

// probeFailed has commands from outside that failed in the last minute, if somebody asked the container to end.
func probeFailed(w *Why) []Cause {
	const soon = 60e9
	if f, _ := w.stopped(); f == nil {
		return nil
	}
	n := 0
	var last *Process
	for _, p := range w.past.Processes {
		if p.Outside && p != w.past.Init() && p.Failed() && p.Ended <= w.Ending.At && p.Ended+soon > w.Ending.At {
			n++
			last = p
		}
	}
	if last == nil {
		return nil
	}
	title := fmt.Sprintf("a probe, or another exec, failed before: %s %s", command(last), ended(last))
	if n > 1 {
		title += fmt.Sprintf(", the last of %d", n)
	}
	return []Cause{{weight: 11, Title: title}}
}

// finished has a program that came to its end.
func finished(w *Why) []Cause {
	if f, _ := w.stopped(); f != nil || !w.Ending.Expected {
		return nil
	}
	return []Cause{{weight: 5, Certainty: Certain, Title: "its program ended by itself, with code 0: it says that it succeeded"}}
}

// saidSo takes the last line of standard error for the reason.
func saidSo(w *Why) []Cause {
	if w.Ending.Expected || !w.Ending.Exited {
		return nil
	}
	lines := w.output
	weight := 5.0
	var best *Line
	for i := range slices.Backward(lines) {
		l := &lines[i]
		switch worded := complains(l.Text); {
		case worded && (best == nil || weight < 7):
			best, weight = l, 7
		case best == nil && l.FD == 2:
			best = l
		}
	}
	if best == nil {
		return nil
	}
	return []Cause{{weight: weight, Title: "it said: " + terminal.String(strings.TrimSpace(best.Text))}}
}

// complaints are words of lines that say why a program ends.
var complaints = []string{"fatal", "panic", "error", "exception", "cannot", "can't", "could not", "failed", "failure",
	"abort", "not set", "missing", "denied", "refused", "invalid", "unable", "not found", "no such", "required"}

func complains(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(complaints, func(word string) bool { return strings.Contains(text, word) })
}

// stuck has the calls in which processes are, if the container runs.
func stuck(w *Why) (found []Cause) {
	if w.Ending.Exited {
		return nil
	}
	const long = 5e9
	for _, f := range w.past.Facts {
		if f.Part != straceback.InFlight || f.Lane == straceback.Runtime || w.past.Now < f.Call.Time+long {
			continue
		}
		since, what := brief(time.Duration(w.past.Now-f.Call.Time)), waitsFor(f)
		weight, title := 7.0, ""
		switch call := f.Call.Syscall().Name; {
		case has("flock fcntl", call):
			title = fmt.Sprintf("has waited for the lock of %s for %s", what, since)
		case call == "connect":
			title = fmt.Sprintf("has waited for %s to answer for %s", what, since)
		case has(opens, call) && what != "":
			title = fmt.Sprintf("has waited for %s to open %s: a FIFO opens if another process opens its other end", since, what)
		case has("fsync fdatasync sync syncfs", call):
			title = fmt.Sprintf("has waited for storage (%s) for %s", call, since)
		case has(writes, call) && what != "":
			title = fmt.Sprintf("has waited for %s to write to %s: nothing reads it, or it is slow", since, what)
		case call == "futex":
			weight, title = 3, fmt.Sprintf("has been in futex for %s", since)
		default:
			weight, title = 2, fmt.Sprintf("has been in %s for %s", call, since)
		}
		title = name(f.Process) + " " + title
		found = append(found, Cause{weight: weight, Title: title, Evidence: []Evidence{{Fact: f}}})
	}
	return found
}

// waitsFor returns the subject of a call, or what its descriptor is, such as pipe:[4026531]. It is escaped.
func waitsFor(f *Fact) string {
	if f.Subject == "" && f.Call.Describe != nil {
		if d := f.Call.Describe(int32(f.Call.Args[0]), false); d != nil {
			return strings.Trim(string(d.AppendText(nil)), "<>")
		}
	}
	return terminal.Cell(f.Subject)
}

// with returns a fact as evidence.
func (w *Why) with(f *Fact) []Evidence { return []Evidence{{Fact: f, Note: w.before(f)}} }

// before tells how long before the end a fact was, and how often it came.
func (w *Why) before(f *Fact) string {
	var note []string
	if end := w.end(); w.Ending.Exited && f.End() <= end {
		before := " before the end"
		if w.Culprit != nil && w.Culprit != w.past.Init() {
			before = " before " + name(w.Culprit) + " ended"
		}
		note = append(note, brief(time.Duration(end-f.End()))+before)
	}
	if n := f.Times(); n > 1 {
		note = append(note, terminal.Count(n, "time"))
	}
	return strings.Join(note, ", ")
}

// brief returns a duration with two or three digits.
func brief(d time.Duration) string {
	if d > 0 && d < time.Millisecond {
		return d.Round(max(time.Microsecond, d/100)).String()
	}
	return timestamp.Brief(d)
}

// name returns the name of a process, escaped, with its ID in the container if that is known.
func name(p *Process) string {
	if p == nil {
		return "a process"
	}
	id := p.Inner
	if id == 0 {
		id = p.PID
	}
	return fmt.Sprintf("%s[%d]", terminal.Cell(p.Comm), id)
}

// commandMax is how much of a command line is shown, in bytes.
const commandMax = 60

// command returns the name of a process with its last command line.
func command(p *Process) string {
	if len(p.Execs) == 0 || len(p.Execs[len(p.Execs)-1].Args) < 2 {
		return name(p)
	}
	line := terminal.String(strings.Join(p.Execs[len(p.Execs)-1].Args[1:], " "))
	if len(line) > commandMax {
		line = strings.ToValidUTF8(line[:commandMax], "") + "…"
	}
	return fmt.Sprintf("%s (%s)", name(p), line)
}

// ended says how a process ended.
func ended(p *Process) string {
	if s := p.Status(); s.Signal != "" {
		return "was killed by " + s.Signal
	}
	return fmt.Sprintf("exited with code %d", p.Status().Code)
}

// message returns the words for an errno.
func message(errno int) string {
	if text := syscalls.ErrnoMessage(errno); text != "" {
		return text
	}
	return fmt.Sprintf("error %d", errno)
}

// matchesAny reports whether a path matches one of some patterns, in which "*" does not match slashes.
func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		whole := name
		if !strings.Contains(pattern, "/") {
			whole = base(name)
		}
		matched, err := path.Match(pattern, whole)
		return err == nil && matched
	})
}
