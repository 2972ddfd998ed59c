// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"os"
	"testing"
)

// TestAfterClose checks that a program that writes nothing learns that the reader of its output is gone, and only then.
func TestAfterClose(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	closed := make(chan bool)
	o := Output{Writer: writer}
	o.AfterClose(t.Context(), func() { close(closed) })
	if _, err := o.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
		t.Error("the output counts as closed while its reader is there")
	default:
	}
	reader.Close()
	<-closed
}
