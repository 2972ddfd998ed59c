// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/report"
	"github.com/runc-trace/runc-trace/test/patience"
)

// browser is a headless Chromium with one page.
type browser struct {
	t   *testing.T
	ctx context.Context

	lock     sync.Mutex
	problems []string // errors of the console, exceptions and violations of the policy
}

// newBrowser starts Chromium. `go test -short` skips the test; without -short, it fails if there is no Chromium.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Chromium: left out with -short")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: run make deps", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("hide-scrollbars", false))
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience.Limit)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	return b
}

// listen collects what a page without faults does not have.
func (b *browser) listen(event any) {
	b.lock.Lock()
	defer b.lock.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.problems = append(b.problems, "console: "+string(e.Type))
	case *log.EventEntryAdded:
		b.problems = append(b.problems, string(e.Entry.Source)+": "+e.Entry.Text)
	}
}

// found returns the problems so far.
func (b *browser) found() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return strings.Join(b.problems, "\n")
}

// open writes a report into a file, opens it, and waits until it has all calls.
func (b *browser) open(p *answers.Past) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "page.html")
	file, err := os.Create(path)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := report.Write(file, p, time.Now()); err != nil {
		b.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Navigate("file://" + path))
	b.until(`document.documentElement.dataset.loaded !== undefined`)
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience.Limit); !value[bool](b, "!!("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain for %s\n%s", expression, b.found())
		}
	}
}

// value returns the value of an expression.
func value[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (b *browser) click(selector string) { b.t.Helper(); b.do(chromedp.Click(selector)) }

func (b *browser) press(keys string) { b.t.Helper(); b.do(chromedp.KeyEvent(keys)) }

// choose sets a list of choices, as a user does.
func (b *browser) choose(selector, choice string) {
	b.t.Helper()
	value[bool](b, `(() => { const s = document.querySelector('`+selector+`'); s.value = '`+choice+
		`'; s.dispatchEvent(new Event('change', {bubbles: true})); return s.value === '`+choice+`'; })()`)
}

// prefer sets whether the user wants dark pages.
func (b *browser) prefer(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}
