// SPDX-License-Identifier: Apache-2.0

// Package report writes what a recording knows of its container as one HTML page, which needs no network.
//
// The page's program is built from web/ and embedded. All that comes from the container is hostile: it is JSON that is
// compressed and then in base64, so that no text of it can end the element that holds it. The page's policy
// (Content-Security-Policy) lets it run its own program only, load nothing, and never parse text as HTML.
package report

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

//go:generate sh ../../web/build.sh

// program and style are the page's, built from web/.
var (
	//go:embed page/page.js
	program string
	//go:embed page/page.css
	style string
)

// version is that of the data: the page refuses others.
const version = 1

// before and after enclose the data. The text has places for the hashes of program and style.
const (
	before = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '%s'; style-src '%s'; ` +
		`base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>runc-trace report</title>
<style>%s</style>
</head>
<body>
<noscript>This report needs JavaScript. It loads nothing from a network.</noscript>
<script type="application/gzip" id="data">`
	after = "</script>\n<script>%s</script>\n</body>\n</html>\n"
)

// Write writes the page. It has lines of JSON: first a head, and then the calls, some thousands in each.
func Write(to io.Writer, p *answers.Past, made time.Time) error {
	out := bufio.NewWriterSize(to, 1<<16)
	fmt.Fprintf(out, before, hash(program), hash(style), style)
	text := base64.NewEncoder(base64.StdEncoding, out)
	compressed := gzip.NewWriter(text)
	lines := json.NewEncoder(compressed)
	if err := lines.Encode(newHead(p, made)); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	calls := newWriter(p, lines.Encode)
	for e := range p.Timeline.Calls {
		if err := calls.add(e); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	err := calls.flush()
	for _, end := range []func() error{compressed.Close, text.Close} {
		if err == nil {
			err = end()
		}
	}
	if err == nil {
		fmt.Fprintf(out, after, program)
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// hash returns the source expression of a program or a style in a policy.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// shown is text of which every invisible character is escaped.
func shown(text string) string { return terminal.String(text) }

// shownLines is the same, but keeps newlines, tabs and backslashes.
func shownLines(text string) string {
	var all []byte
	for text != "" {
		end := strings.IndexAny(text, "\n\t")
		if end < 0 {
			return string(terminal.AppendEscaped(all, text))
		}
		all = append(terminal.AppendEscaped(all, text[:end]), text[end])
		text = text[end+1:]
	}
	return string(all)
}
