// SPDX-License-Identifier: Apache-2.0

// Package report opens reports in a real browser.
package report

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/runc-trace/runc-trace/pkg/report/reporttest"
	"github.com/runc-trace/runc-trace/test/patience"
)

var update = flag.Bool("update", false, "take the pictures of docs/images again")

// picture takes a picture for the documents. It is always taken, but only kept with -update.
func (b *browser) picture(name string) {
	b.t.Helper()
	taken, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if !*update {
		return
	}
	image, err := png.Decode(bytes.NewReader(taken))
	if err != nil {
		b.t.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, image); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("..", "..", "docs", "images", name), small.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// TestReport reads a report of 100,000 calls as a person does.
func TestReport(t *testing.T) {
	const calls = 100_000
	b := newBrowser(t)
	b.prefer("light")
	b.size(1200, 720)
	b.open(reporttest.Crash(t, calls))

	// why
	if title := value[string](b, `document.title`); title != "shop/api-7d9c/app: exited with code 1" {
		t.Errorf("title %q", title)
	}
	if cause := value[string](b, `document.querySelector('.cause .title').textContent`); cause !=
		"/etc/app/settings.yaml does not exist" {
		t.Errorf("cause %q", cause)
	}
	b.picture("report-why.png")

	// from the evidence to the call in the table, and back
	b.click(`.cause button.call`)
	b.until(`!document.getElementById('view-calls').hidden && !document.getElementById('detail').hidden`)
	b.until(`document.querySelector('#view-calls .row.active')?.textContent.includes('settings.yaml')`)
	b.until(`document.activeElement.matches('#view-calls .list')`)
	b.press(kb.ArrowUp)
	b.until(`!document.querySelector('#view-calls .row.active').textContent.includes('settings.yaml')`)
	b.press(kb.Enter)
	b.until(`document.activeElement.id === 'detail'`)
	b.press(kb.Escape)
	b.until(`document.getElementById('detail').hidden`)

	// search and filter; only rows that can be seen exist
	shown := func() int { return value[int](b, `Number(document.querySelector('.calls').dataset.shown)`) }
	if n := shown(); n < calls {
		t.Errorf("%d calls are shown", n)
	}
	b.press("/")
	b.until(`document.activeElement.id === 'search'`)
	b.do(chromedp.SendKeys(`#search`, "SETTINGS.yaml"))
	b.until(`document.querySelector('.calls').dataset.shown === '2'`)
	b.do(chromedp.SetValue(`#search`, "/^(openat|connect).*ENO.NT/"), chromedp.SendKeys(`#search`, " "))
	b.until(`document.querySelector('.calls').dataset.shown === '25'`)
	b.do(chromedp.SetValue(`#search`, "/(/"), chromedp.SendKeys(`#search`, " "))
	b.until(`document.getElementById('search').getAttribute('aria-invalid') === 'true'`)
	b.click(`.filters .plain`)
	b.until(`Number(document.querySelector('.calls').dataset.shown) >= 100000`)
	b.choose(`#by-error`, "failed")
	b.until(`document.querySelectorAll('#view-calls .row').length > 0 &&
		document.querySelectorAll('#view-calls .row:not(.failed)').length === 0`)
	b.picture("report-calls.png")
	b.choose(`#by-error`, "ECONNREFUSED")
	b.until(`document.querySelector('.calls').dataset.shown === '4'`)
	b.click(`.filters .plain`)
	b.until(`Number(document.querySelector('.calls').dataset.shown) >= 100000`)
	b.choose(`#order`, "took")
	b.until(`/^(futex|wait4)/.test(document.querySelector('#view-calls .row .call').textContent)`)
	b.choose(`#order`, "time")
	b.until(`document.querySelector('#view-calls .row .call').textContent.startsWith('execve')`)
	b.do(chromedp.Focus(`#view-calls .list`))
	b.press(kb.End)
	b.until(`document.querySelector('#view-calls .row.active')?.getAttribute('aria-rowindex') ===
		document.querySelector('#view-calls .list').getAttribute('aria-rowcount')`)
	if n := value[int](b, `document.querySelectorAll('*').length`); n > 4000 {
		t.Errorf("%d elements", n)
	}
	b.press(kb.Escape)

	// tabs by keyboard
	b.do(chromedp.Focus(`#tab-calls`))
	b.press(kb.ArrowLeft)
	b.until(`document.activeElement.id === 'tab-timeline' && !document.getElementById('view-timeline').hidden &&
		document.getElementById('tab-timeline').getAttribute('aria-selected') === 'true'`)

	// zoom by keys, by the pointer, and with the table
	const width = `(([a, b]) => b - a)(document.querySelector('.lanes').dataset.range.split(' ').map(Number))`
	b.until(`document.querySelector('.lanes').dataset.range`)
	all := value[float64](b, width)
	within := func(low, high float64) string {
		return fmt.Sprintf("%[1]s > %[2]f && %[1]s < %[3]f", width, low*all, high*all)
	}
	b.do(chromedp.Focus(`.lanes`))
	b.press("++")
	b.until(within(0.2, 0.3))
	b.press("0")
	b.until(within(0.99, 1.01))
	box := value[[]float64](b, `(({left, top}) => [left, top])(document.querySelector('.lanes').getBoundingClientRect())`)
	b.do(chromedp.DragAndDropXY(box[0]+400, box[1]+60, box[0]+500, box[1]+60, 5))
	b.until(within(0.05, 0.15))
	b.press("n")
	b.until(`!document.getElementById('detail').hidden && document.querySelector('#detail .text.failed')`)
	b.press("0")
	b.picture("report-timeline.png")
	b.press("+")
	b.press(kb.Enter)
	b.until(`!document.getElementById('view-calls').hidden && !document.querySelector('.chip').hidden`)
	b.until(`Number(document.querySelector('.calls').dataset.shown) < 90000`)
	b.press(kb.Escape)

	// processes, files, network, output, summary
	b.press("4")
	b.until(`document.querySelectorAll('#view-processes .row').length === 4`)
	b.do(chromedp.Focus(`#view-processes .list`))
	b.press(kb.ArrowDown + kb.ArrowLeft)
	b.until(`document.querySelectorAll('#view-processes .row').length === 1`)
	b.press(kb.ArrowRight)
	b.until(`document.querySelectorAll('#view-processes .row').length === 4`)
	b.press(kb.ArrowDown + kb.Enter)
	b.until(`!document.getElementById('view-calls').hidden && document.getElementById('by-process').value === '1'`)
	b.press("5")
	b.until(`document.querySelectorAll('#view-files .row').length > 1`)
	b.do(chromedp.SendKeys(`#view-files input`, "settings"))
	b.until(`document.querySelectorAll('#view-files .row').length === 1 &&
		document.querySelector('#view-files .row.failed .did').textContent === 'ENOENT'`)
	b.do(chromedp.Focus(`#view-files .list`))
	b.press(kb.ArrowDown + kb.Enter)
	b.until(`!document.getElementById('view-calls').hidden && document.querySelector('.calls').dataset.shown === '2'`)
	b.press("6")
	b.until(`document.querySelector('#view-network .row.failed')?.textContent.includes('ECONNREFUSED ×4')`)
	b.do(chromedp.Focus(`#view-network .list`))
	b.press(kb.ArrowDown + kb.Enter)
	b.until(`!document.getElementById('view-calls').hidden && document.querySelector('.calls').dataset.shown === '4'`)
	b.press("7")
	b.until(`document.querySelector('#view-output .row.stderr')?.textContent.includes('Traceback')`)
	b.press("8")
	b.until(`[...document.querySelectorAll('#view-summary tbody tr')].some((r) => r.textContent.includes('openat'))`)
	b.click(`#view-summary thead button`)
	b.until(`document.querySelector('#view-summary th[aria-sort]').textContent === 'Call'`)

	// dark by the system, light by the switch; a narrow window
	b.prefer("dark")
	dark := `getComputedStyle(document.body).backgroundColor === 'rgb(18, 22, 29)'`
	b.until(dark)
	b.press("1")
	b.picture("report-dark.png")
	b.click(`#theme`)
	b.until(`!(` + dark + `)`)
	b.click(`#theme`)
	b.until(dark)
	b.size(390, 800)
	for _, tab := range strings.Fields("1 2 3 4 5 6 7 8") {
		b.press(tab)
		if over := value[int](b, `document.documentElement.scrollWidth`); over > 390 {
			t.Errorf("view %s is %d pixels wide in a window of 390", tab, over)
		}
	}
	if found := b.found(); found != "" {
		t.Errorf("problems of the page:\n%s", found)
	}
}

// TestHostile opens a report full of markup: it is text, and the page's policy refuses to make anything else of it.
func TestHostile(t *testing.T) {
	b := newBrowser(t)
	b.open(reporttest.Hostile(t))
	for _, tab := range strings.Fields("1 2 3 4 5 6 7 8") {
		b.press(tab)
	}
	for tab, view := range map[string]string{"3": "calls", "5": "files", "7": "output"} { // a view is drawn if it is shown
		b.press(tab)
		b.until(`document.querySelector('#view-` + view + `').textContent.includes('<img src=x onerror=')`)
	}
	if n := value[int](b, `document.images.length + document.scripts.length`); n > 1 {
		t.Errorf("%d images and scripts", n)
	}
	if title := value[string](b, `document.title`); title == "owned" || !strings.Contains(title, "onerror") {
		t.Errorf("title %q", title)
	}
	if found := b.found(); found != "" {
		t.Errorf("problems of the page:\n%s", found)
	}

	// Even if the page's program had such a fault, the policy would not allow what follows.
	for _, attempt := range []string{
		`document.body.innerHTML = '<b>x</b>'`,
		`document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')`,
	} {
		refused := value[bool](b, `(() => { try { `+attempt+`; return false } catch { return true } })()`)
		if !refused {
			t.Errorf("the policy allows %s", attempt)
		}
	}
	value[bool](b, `(fetch('http://127.0.0.1:9/').catch(() => {}), true)`)
	patience.Until(t, "the browser says that the policy was violated", func() bool {
		return strings.Contains(b.found(), "Content Security Policy")
	})
}
