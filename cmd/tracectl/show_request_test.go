// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"testing"

	"github.com/spf13/cobra"
)

// TestAddresses checks when lines have no addresses: flags say so, and otherwise only a terminal gets none.
func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		flags []string
		want  bool
	}{
		{nil, false},
		{[]string{"--addresses"}, false},
		{[]string{"--addresses=false"}, true},
		{[]string{"--no-addresses"}, true},
		{[]string{"--no-addresses=false"}, false},
	} {
		c := &cobra.Command{Use: "show"}
		r := addShowFlags(c)
		if err := c.ParseFlags(test.flags); err != nil {
			t.Fatal(err)
		}
		if got, _ := r.looks(io.Discard); got != test.want {
			t.Errorf("%q: %t, want %t", test.flags, got, test.want)
		}
	}
}

func TestFormatOfJSON(t *testing.T) {
	c := &cobra.Command{Use: "show"}
	addShowFlags(c)
	if err := c.ParseFlags([]string{"--output=json", "--format=strace"}); err != nil {
		t.Fatal(err)
	}
	if err := c.PreRunE(c, nil); err == nil {
		t.Error("JSON in the form of strace: no error")
	}
}
