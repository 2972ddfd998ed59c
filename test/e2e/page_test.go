// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"compress/gzip"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPage writes the page of a container that looks for a file with a hostile name.
func TestPage(t *testing.T) {
	x := load(t)
	x.runContainer(simple("page", "/bin/sh", "-c", "cat '/tmp/</script><img src=x>'; exit 3"))
	path := filepath.Join(t.TempDir(), "page.html")
	x.tracectl("report", "page", "-o", path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), `id="data">`)
	data, program, _ := strings.Cut(rest, "</script>")
	if strings.Contains(string(page), "<img") || !strings.Contains(program, "<script>") {
		t.Errorf("the page is broken: %.200s", program)
	}
	unzipped, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"state":"exited"`, `"code":3`, `"comm":"cat"`, `\u003cimg src=x\u003e does not exist`,
		`ENOENT (No such file or directory)`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the data do not have %s", want)
		}
	}
	if again := x.tracectl("report", "page"); len(again) < len(page)/2 {
		t.Errorf("stdout has %d bytes", len(again))
	}
}
