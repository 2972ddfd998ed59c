// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"os"
	"testing"

	"github.com/runc-trace/runc-trace/test/roottest"
)

func TestMain(m *testing.M) {
	roottest.InUserNamespace()
	os.Exit(m.Run())
}
