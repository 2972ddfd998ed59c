// SPDX-License-Identifier: Apache-2.0

// Command conformance runs runc's own integration suite with a bare runtime, and with the shim in front of the same
// runtime. It prints the tests that end differently, and exits with 1 if there are any.
//
// Each file of tests runs in a lane of its own (lane.sh), so that several run at once. If a test ends differently,
// its file runs again, alone: three times, or ten if one of these disagrees as well. A test counts as different if
// more than a quarter of the rounds with the shim ended in a way in which no round with the bare runtime ended. The
// output has the counts of both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// cache keeps files that take long to make, for later runs.
const cache = "/var/cache/runc-trace-e2e"

func main() {
	quick := flag.Bool("quick", false, "only the newest runc, bare and with the tracer loaded")
	names := flag.String("suites", "", "only the `suites` whose name matches this regular expression")
	files := flag.String("files", "", "only the `files` of tests that match this regular expression")
	lanes := flag.Int("lanes", 2*runtime.NumCPU(), "how many files of tests run at once: most of their time they sleep")
	again := flag.Int("again", 10, "how often, at most, a file runs again if a test of it ended differently")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	same, err := run(ctx, *quick, *names, *files, *lanes, *again)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	if !same {
		os.Exit(1)
	}
}

// run reports whether the shim behaves like the bare runtimes.
func run(ctx context.Context, quick bool, names, files string, lanes, again int) (same bool, err error) {
	if os.Geteuid() != 0 {
		return false, errors.New("the suite makes containers: run this as root")
	}
	name, err := regexp.Compile(names)
	if err != nil {
		return false, err
	}
	only, err := regexp.Compile(files)
	if err != nil {
		return false, err
	}
	began := time.Now()
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return false, err
	}
	scratch, err := os.MkdirTemp(cache, "conformance-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(scratch)
	t, err := loadTracer(scratch)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, t.unload()) }()

	suites, err := suites(ctx, quick)
	if err != nil {
		return false, err
	}
	suites = slices.DeleteFunc(suites, func(s *suite) bool { return !name.MatchString(s.name) })
	var jobs []job
	for _, s := range suites {
		if err := s.prepare(ctx, scratch, t, only); err != nil {
			return false, fmt.Errorf("preparing %s: %w", s.name, err)
		}
		jobs = append(jobs, s.jobs()...)
	}
	w := workshop{scratch: scratch, lanes: lanes}
	fmt.Printf("%d files of tests, %d at once; ready after %v\n", len(jobs), lanes, time.Since(began).Round(time.Second))
	ends, err := w.run(ctx, jobs)
	if err != nil {
		return false, err
	}

	same = true
	for _, s := range suites {
		ok, err := s.report(ctx, w, ends, again)
		if err != nil {
			return false, err
		}
		same = same && ok
	}
	if err := t.check(); err != nil {
		return false, err
	}
	fmt.Printf("done after %v\n", time.Since(began).Round(time.Second))
	return same, nil
}

// report prints the results of a suite, and reports whether those with the shim are the same.
func (s *suite) report(ctx context.Context, w workshop, ends results, again int) (bool, error) {
	bare := ends.of(s, s.variants[0])
	n := bare.count()
	fmt.Printf("\n%s, by itself: %d tests, %d pass, %d fail, %d are skipped\n", s.name, len(bare),
		n.passed, n.failed, n.skipped)
	if n.passed <= n.failed+n.skipped && !s.crun || n.passed == 0 {
		return false, fmt.Errorf("%s by itself passes too few tests for a comparison to mean anything:\n%s", s.name, bare)
	}
	same := true
	for _, v := range s.variants[1:] {
		differing := differences(bare, ends.of(s, v))
		if len(differing) == 0 {
			fmt.Printf("%s, %s: the same\n", s.name, v.name)
			continue
		}
		fmt.Printf("%s, %s: %d tests ended differently, so their files run again, alone:\n", s.name, v.name, len(differing))
		for _, d := range differing {
			fmt.Printf("    %s: %s, by itself %s\n", d.test, d.shim, d.bare)
		}
		for _, file := range differing.files() {
			disputed, rounds, err := s.settle(ctx, w, v, file, again)
			if err != nil {
				return false, err
			}
			fmt.Printf("  %s, %d times alone: disagreed on %d tests\n", file, rounds, len(disputed))
			for _, d := range disputed {
				word := "unsteady"
				if d.stands {
					word, same = "DIFFERENT", false
				}
				fmt.Printf("    %s: %s: %s; by itself %s\n", word, d.test, d.shim, d.bare)
			}
		}
	}
	return same, nil
}

// settle runs a file alone, with the bare runtime and with a variant in turns. If the first rounds all agree, it
// stops. Otherwise it runs all rounds: stopping at the first agreement would select the result. It returns every
// test on which a round disagreed, with the number of times that it ended in each way.
func (s *suite) settle(ctx context.Context, w workshop, v variant, file string,
	most int) (disputed []dispute, rounds int, err error) {
	const enough = 3
	var bare, shim []ending
	for agreed := true; rounds < most && (!agreed || rounds < enough); rounds++ {
		ends, err := w.alone(ctx, job{s, s.variants[0], file}, job{s, v, file})
		if err != nil {
			return nil, rounds, err
		}
		bare, shim = append(bare, ends.of(s, s.variants[0])), append(shim, ends.of(s, v))
		agreed = agreed && len(differences(bare[rounds], shim[rounds])) == 0
	}
	return disputes(bare, shim), rounds, nil
}

// here returns the path of one of this program's scripts. The program runs in the root of the repository.
func here(script string) (string, error) {
	path, err := filepath.Abs(filepath.Join("test/conformance", script))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("run this from the root of the repository: %w", err)
	}
	return path, nil
}

func lines(text []byte) []string { return strings.Split(strings.TrimSpace(string(text)), "\n") }
