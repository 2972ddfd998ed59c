// SPDX-License-Identifier: Apache-2.0

package architecture

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestPins checks that docs/architecture.md describes each pinned object.
func TestPins(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "### Pinned objects")
	table, _, _ := strings.Cut(rest, "\n\n`tracectl load`")
	source, err := os.ReadFile("../../pkg/bpf/abi/abi.go")
	if err != nil {
		t.Fatal(err)
	}
	pins := regexp.MustCompile(`Pin[A-Za-z]+ += "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(pins) < 20 {
		t.Fatalf("%d pins were found", len(pins))
	}
	for _, pin := range pins {
		name := pin[1]
		first, _, _ := strings.Cut(name, "_")
		if !strings.Contains(table, "`"+name+"`") && !strings.Contains(table, "`"+first+"_*`") {
			t.Errorf("%s is not described", name)
		}
	}
}
