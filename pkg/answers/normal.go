// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// normal makes texts of two runs comparable: it replaces what differs from run to run by "*".
type normal struct{ own *strings.Replacer }

// newNormal returns a normal for a container, whose own names differ from run to run, too.
func newNormal(c *labels.Container) *normal {
	const least = 6 // characters: a shorter name may be part of others
	var pairs []string
	for _, name := range []string{c.ID, c.PodUID, strings.ReplaceAll(c.PodUID, "-", "_"), c.Pod} {
		if len(name) >= least {
			pairs = append(pairs, name, "*")
		}
	}
	return &normal{strings.NewReplacer(pairs...)}
}

// The parts of a text that differ from run to run, with what replaces them. They are tried in this order.
var passing = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), "*"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`), "*"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d(\.\d+)?\b`), "*"},
	{regexp.MustCompile(`^(/proc|/host/proc)/\d+`), "$1/*"},
	{regexp.MustCompile(`/task/\d+`), "/task/*"},
	{regexp.MustCompile(`:\[\d+\]`), ":[*]"},
	// mktemp(1), tempfile of Python, and mkstemp(3) with its usual suffix of six characters.
	{regexp.MustCompile(`\btmp\.[0-9A-Za-z]{10}\b`), "*"},
	{regexp.MustCompile(`\btmp[0-9a-z_]{8}\b`), "*"},
	{regexp.MustCompile(`\b0x[0-9a-fA-F]{4,}\b`), "*"},
}

// Words that may be numbers or random.
var (
	word  = regexp.MustCompile(`[0-9A-Za-z]{5,}`)
	hexes = regexp.MustCompile(`^[0-9a-f]{8,}$|^[0-9A-F]{8,}$`)
)

// text returns a text without what differs from run to run.
func (n *normal) text(text string) string {
	text = n.own.Replace(text)
	for _, p := range passing {
		text = p.pattern.ReplaceAllString(text, p.by)
	}
	volatile := strings.HasPrefix(text, "/tmp/") || strings.HasPrefix(text, "/var/tmp/") ||
		strings.HasPrefix(text, "/dev/shm/")
	return word.ReplaceAllStringFunc(text, func(word string) string {
		digits := strings.Count(strings.Map(digit, word), "0")
		switch {
		case digits == len(word):
			return "*"
		case digits > 0 && hexes.MatchString(word):
			return "*"
		case volatile && len(word) >= 6 && random(word, digits):
			return "*"
		}
		return word
	})
}

// digit maps digits to 0, for counting.
func digit(r rune) rune {
	if r >= '0' && r <= '9' {
		return '0'
	}
	return r
}

// between matches a digit between letters.
var between = regexp.MustCompile(`[A-Za-z][0-9]+[A-Za-z]`)

// random reports whether a word looks random: it has several digits or one between its letters, or changes often
// between small letters and others. Below a directory for temporary files, most such names are.
func random(word string, digits int) bool {
	changes := 0
	for i := 1; i < len(word); i++ {
		if upper(word[i]) != upper(word[i-1]) {
			changes++
		}
	}
	return digits > 1 || changes > 2 || between.MatchString(word)
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

// address returns an address without a port that the kernel chose.
func (n *normal) address(text string) string {
	socket, err := netip.ParseAddrPort(text)
	if err != nil {
		return n.text(text)
	}
	const ephemeral = 32768 // net.ipv4.ip_local_port_range
	if socket.Port() < ephemeral {
		return text
	}
	return strings.TrimSuffix(netip.AddrPortFrom(socket.Addr(), 0).String(), "0") + "*"
}
