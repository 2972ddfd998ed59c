// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestImports limits the shim's imports: each imported package costs time at every start, state, exec and delete of
// every container. Measure before you add a line here.
func TestImports(t *testing.T) {
	want := strings.Fields(`
		bufio bytes cmp context encoding encoding/base64 encoding/binary encoding/json errors fmt
		github.com/BurntSushi/toml
		github.com/dchest/siphash
		github.com/runc-trace/runc-trace/cmd/runc-trace
		github.com/runc-trace/runc-trace/pkg/boottime
		github.com/runc-trace/runc-trace/pkg/bpf/abi
		github.com/runc-trace/runc-trace/pkg/config
		github.com/runc-trace/runc-trace/pkg/enginefiles
		github.com/runc-trace/runc-trace/pkg/identity
		github.com/runc-trace/runc-trace/pkg/pinned
		github.com/runc-trace/runc-trace/pkg/regular
		github.com/runc-trace/runc-trace/pkg/shim
		github.com/runc-trace/runc-trace/pkg/spec
		github.com/runc-trace/runc-trace/pkg/unified
		github.com/runc-trace/runc-trace/pkg/unregistered
		github.com/sirupsen/logrus
		golang.org/x/sys/unix
		hash io io/fs iter log maps math math/bits os path reflect runtime runtime/debug slices sort
		strconv strings sync sync/atomic syscall time unicode unicode/utf16 unicode/utf8 unsafe`)
	list := exec.Command("go", "list", "-deps", "../../cmd/runc-trace")
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	output, err := list.Output()
	if err != nil {
		t.Fatalf("listing the shim's imports: %v", err)
	}
	var got []string
	for _, name := range strings.Fields(string(output)) {
		if !strings.HasPrefix(name, "internal/") && !strings.Contains(name, "/internal") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the shim's imports (-allowed +found):\n%s", diff)
	}
}
