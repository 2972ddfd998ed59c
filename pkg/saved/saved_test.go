// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

var update = flag.Bool("update", false, "write the file of version 1: only if no release has written such files")

// record makes a record of a call that ended at a time and took 1 microsecond.
func record(native syscalls.ABI, at uint64, name string, result int64, args ...any) straceback.Record {
	c := syscalls.Call{Native: native, ABI: native, Nr: recordtest.Number(native, name), PID: 100, TID: 100,
		Time: at - 1000, Duration: 1000, Comm: []byte("app"), Result: result}
	recordtest.SetArgs(&c, args...)
	r := recordtest.Append(nil, &c)
	binary.LittleEndian.PutUint64(r, 0x5ec1e7) // the commit word
	return straceback.Record{Bytes: r}
}

// sample is a recording of n writes of arbitrary bytes, and of a call that failed before them.
func sample(native syscalls.ABI, n int) *straceback.Reading {
	random := rand.New(rand.NewPCG(1, 2))
	const second = 1e9
	r := &straceback.Reading{
		Container: &labels.Container{Namespace: "shop", Pod: "web-0", Name: "app", ID: strings.Repeat("4f", 32),
			Image: "web:1", Engine: "docker", Labels: map[string]string{"app": "web"},
			Origins: map[string]labels.Origin{"app": labels.FromDocker}, State: abi.StateEnded, ExitStatus: 1 << 8,
			Created: second, Started: second + 1, Exited: 9 * second, Ended: 9*second + 5},
		Calls: &straceback.Calls{Native: native, Missing: 7, Lost: 1, RuntimeMissing: 2, Oldest: second, Newest: 9 * second,
			Totals: []straceback.Total{{Syscall: "write", Total: ring.Total{Count: 9, Failed: 1, Time: 5000}}}},
		InFlight: []straceback.Record{record(native, 8*second, "read", 0, 3, 0x7000, 100)},
		Live: straceback.Snapshot{Time: 8 * second, Processes: map[uint32]map[int32]straceback.Live{100: {
			3: {Descriptor: syscalls.Descriptor{Type: "TCP", Inode: 5, Local: "1.2.3.4:5", Peer: "\xff"},
				Cloexec: true},
			syscalls.CWD: {Descriptor: syscalls.Descriptor{Path: "/srv/\xff", Deleted: true}},
		}}},
		Boot: time.Unix(1_700_000_000, 5).UTC(), Now: 10 * second,
	}
	failed := record(native, second+5000, "openat", -2, -100, "/etc/app.conf", 0)
	failed.Lane, failed.Count, failed.Last = straceback.First, 42, second+6000
	r.Calls.Records = append(r.Calls.Records, failed)
	for i := range n {
		data := make([]byte, 1000)
		for k := range data {
			data[k] = byte(random.Uint32())
		}
		r.Calls.Records = append(r.Calls.Records, record(native, 2*second+uint64(i)*10_000, "write", 9, 1, string(data)))
	}
	at := &r.Calls.Lanes[straceback.Recent]
	*at = straceback.Reach{Calls: n, Lapped: true, Since: 2 * second, Oldest: 2 * second, Newest: 9 * second}
	return r
}

func write(t testing.TB, r *straceback.Reading) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := Write(&file, r, Origin{"tracectl v1", "w3"}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func newTestWriter(t testing.TB, to *bytes.Buffer) *writer {
	t.Helper()
	w, err := newWriter(to)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// bare returns records as files have them.
func bare(records []straceback.Record) []straceback.Record {
	var all []straceback.Record
	for _, r := range records {
		r.Bytes = syscalls.AppendBare(nil, r.Bytes)
		all = append(all, r)
	}
	return all
}

// show returns the text of a recording.
func show(t testing.TB, r *straceback.Reading) string {
	t.Helper()
	var text bytes.Buffer
	f := straceback.Format{Start: r.Container.Created, Boot: r.Boot, Missing: r.Calls.Missing,
		Complete: r.Calls.Complete(), Now: r.Now}
	if err := f.WriteText(&text, r.Timeline(true)); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// TestRoundTrip writes recordings of both architectures and reads them: on either one, they are the same.
func TestRoundTrip(t *testing.T) {
	for _, native := range []syscalls.ABI{syscalls.AMD64, syscalls.ARM64} {
		want := sample(native, 600)
		file := write(t, want)
		if n := bytes.Count(file, []byte(marker)); n < 7 {
			t.Errorf("%v: only %d chunks", native, n)
		}
		got, damage, err := Read(bytes.NewReader(file))
		if err != nil || damage.Any() {
			t.Fatalf("%v: %v, %v", native, damage, err)
		}
		if a, b := show(t, want), show(t, got); a != b {
			t.Errorf("%v (-want +got):\n%s", native, cmp.Diff(a, b))
		} else if !strings.Contains(a, "write(fd=1") || !strings.Contains(a, `read(fd=3<TCP:1.2.3.4:5->\377>`) {
			t.Errorf("%v: the text is\n%.1000s", native, a)
		}
		want.Calls.Records, want.InFlight = bare(want.Calls.Records), bare(want.InFlight)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(labels.Container{})); diff != "" {
			t.Errorf("%v (-want +got):\n%.3000s", native, diff)
		}
		if bytes.Contains(got.Calls.Records[5].Bytes, []byte{0xe7, 0xc1, 0x5e}) {
			t.Errorf("the file has commit words: %q", got.Calls.Records[5].Bytes[:8])
		}
	}
}

// starts returns the offsets of the chunks of a file, and its length.
func starts(file []byte) (all []int) {
	for at := 0; at < len(file); {
		h, ok := parseHeader(file[at:])
		if !ok {
			panic("no chunk")
		}
		all = append(all, at)
		at += headerSize + int(h.Stored)
	}
	return append(all, len(file))
}

// check reads a damaged file. What it tells must be true: the records are true ones, each that is not there is counted,
// and since Complete, none is missing.
func check(t *testing.T, what string, whole *straceback.Reading, file []byte) Damage {
	t.Helper()
	got, damage, err := Read(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !damage.Any() {
		t.Errorf("%s: no damage is reported", what)
	}
	if got.Container.ID != whole.Container.ID {
		t.Errorf("%s: the container is %+v", what, got.Container)
	}
	kept := map[string]bool{}
	for _, r := range got.Calls.Records {
		kept[string(r.Bytes)] = true
	}
	missing := 0
	for _, r := range bare(whole.Calls.Records) {
		if !kept[string(r.Bytes)] {
			missing++
			if _, end := syscalls.Span(r.Bytes); end >= got.Calls.Complete() {
				t.Fatalf("%s: a call is missing that ended at %d, but all since %d are said to be there", what, end,
					got.Calls.Complete())
			}
		}
		delete(kept, string(r.Bytes))
	}
	if len(kept) > 0 {
		t.Errorf("%s: %d records are not from the recording", what, len(kept))
	}
	if damage.Calls != missing || got.Calls.Missing != whole.Calls.Missing+uint64(missing) {
		t.Errorf("%s: %d calls are missing, %d reported, Missing is %d", what, missing, damage.Calls, got.Calls.Missing)
	}
	if missing > 0 && len(got.Live.Processes) > 0 {
		t.Errorf("%s: later calls may have changed the descriptors", what)
	}
	return damage
}

// TestDamage damages each chunk in several ways, and cuts the file.
func TestDamage(t *testing.T) {
	whole := sample(syscalls.AMD64, 600)
	file := write(t, whole)
	chunks := starts(file)
	for i, at := range chunks[:len(chunks)-1] {
		end := chunks[i+1]
		middle := (at + headerSize + end) / 2
		for what, damaged := range map[string][]byte{
			"a bit of the header":        flip(file, at+20),
			"a bit of the marker":        flip(file, at),
			"a bit of the payload":       flip(file, min(middle, end-1)),
			"bytes removed":              cut(file, middle, min(end, middle+100)+1),
			"bytes added":                join(file[:middle], bytes.Repeat([]byte(marker), 50), file[middle:]),
			"the chunk removed":          cut(file, at, end),
			"the rest removed":           file[:max(at, chunks[1])+1],
			"the rest replaced":          append(bytes.Clone(file[:max(at, chunks[1])]), make([]byte, len(file)-at)...),
			"the chunk twice":            join(file[:end], file[at:end], file[end:]),
			"text at the beginning":      join([]byte("text"), file),
			"the chunk replaced by text": join(file[:at], bytes.Repeat([]byte("x"), end-at), file[end:]),
		} {
			if what == "the chunk twice" || what == "text at the beginning" {
				if got, _, err := Read(bytes.NewReader(damaged)); err != nil || len(got.Calls.Records) != 601 {
					t.Errorf("chunk %d, %s: %v", i, what, err)
				}
				continue
			}
			check(t, fmt.Sprintf("chunk %d, %s", i, what), whole, damaged)
		}
	}
	for n := chunks[1]; n < len(file); n += len(file) / 60 {
		if damage := check(t, fmt.Sprintf("%d bytes of %d", n, len(file)), whole, file[:n]); !damage.Cut {
			t.Errorf("%d bytes: not said to be cut: %v", n, damage)
		}
	}
}

func flip(file []byte, at int) []byte {
	file = bytes.Clone(file)
	file[at] ^= 4
	return file
}

func cut(file []byte, from, to int) []byte { return join(file[:from], file[min(to, len(file)):]) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestEmbedded has a damaged chunk that contains the chunk of another recording, which a container may have written.
// That is not taken for a part of this file.
func TestEmbedded(t *testing.T) {
	other := sample(syscalls.AMD64, 0)
	other.Container.ID = "false"
	fake := write(t, other)
	fake = fake[:starts(fake)[1]]
	if r, _, err := Read(bytes.NewReader(fake)); err != nil || r.Container.ID != "false" {
		t.Fatalf("the other chunk is none: %v", err)
	}
	whole := sample(syscalls.AMD64, 300)
	file := write(t, whole)
	at := starts(file)[3] + headerSize + 1000
	check(t, "in place of other bytes", whole, join(file[:at], fake, file[at+len(fake):]))
	check(t, "in place of fewer bytes", whole, join(file[:at], fake, file[at+7:]))
}

// TestRefused reads files that are not recordings, or are larger than one can be.
func TestRefused(t *testing.T) {
	whole := write(t, sample(syscalls.AMD64, 1))
	h, _ := parseHeader(whole)
	h.Version++
	later := join(h.append(nil), whole[headerSize:])
	stranger := sample(syscalls.AMD64, 1)
	stranger.Calls.Native = syscalls.X32
	var bomb bytes.Buffer
	b := newTestWriter(t, &bomb)
	for range totalMax/payloadMax + 1 {
		b.chunk(99, make([]byte, payloadMax))
	}
	for _, c := range []struct {
		what, want string
		file       []byte
	}{
		{"nothing", "not a saved recording, or the description of its container is damaged", nil},
		{"text", "not a saved recording, or the description of its container is damaged", []byte("call me Ishmael\n")},
		{"a later version", "not a saved recording: it has version 2, and this program reads version 1: use a newer one", later},
		{"another architecture", `not a saved recording: it is of an unknown architecture, "x32"`, write(t, stranger)},
		{"a bomb", "not a saved recording: it has more than 536870912 bytes", bomb.Bytes()},
	} {
		_, _, err := Read(bytes.NewReader(c.file))
		if !errors.Is(err, ErrFormat) || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.what, err, c.want)
		}
	}
}

// TestVersion1 reads a file that an earlier program has written. If this fails, the format or the records in it have
// changed: then Version must grow, and Read must go on reading this file.
func TestVersion1(t *testing.T) {
	const path = "testdata/v1.rec"
	if *update {
		if err := os.WriteFile(path, write(t, sample(syscalls.ARM64, 2)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, damage, err := Read(bytes.NewReader(file))
	if err != nil || damage.Any() {
		t.Fatalf("%v, %v", damage, err)
	}
	if diff := cmp.Diff(show(t, sample(syscalls.ARM64, 2)), show(t, r)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// FuzzRead reads chunks of any content, and prints what they have.
func FuzzRead(f *testing.F) {
	whole := write(f, sample(syscalls.AMD64, 2))
	c, err := newChunks(bytes.NewReader(whole))
	if err != nil {
		f.Fatal(err)
	}
	var description []byte
	for {
		h, payload, _, err := c.read()
		if err != nil {
			break
		}
		if h.Kind == kindDescription {
			description = bytes.Clone(payload)
		}
		f.Add(uint16(h.Kind), bytes.Clone(payload))
	}
	f.Add(uint16(kindCalls), whole)
	f.Fuzz(func(t *testing.T, k uint16, payload []byte) {
		var file bytes.Buffer
		w := newTestWriter(t, &file)
		w.chunk(kindDescription, description)
		w.chunk(kind(k), payload)
		for _, file := range [][]byte{file.Bytes(), payload} {
			if r, damage, err := Read(bytes.NewReader(file)); err == nil {
				_, _ = show(t, r), damage.String()
				if err := (&straceback.Format{Boot: r.Boot}).WriteJSON(&bytes.Buffer{}, r.Timeline(true)); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// TestDescribe describes a file by its beginning, or if that is damaged, by its end.
func TestDescribe(t *testing.T) {
	r := sample(syscalls.AMD64, 100)
	file := write(t, r)
	d, err := NewDescriber()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for what, damaged := range map[string][]byte{
		"whole": file, "cut": file[:len(file)/2], "damaged at the beginning": flip(file, headerSize+5),
		"without its beginning": file[10:],
	} {
		got, records, err := d.Describe(bytes.NewReader(damaged))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if diff := cmp.Diff(r.Container, got.Container, cmpopts.IgnoreUnexported(labels.Container{})); diff != "" ||
			records != 101 || !got.Boot.Equal(r.Boot) || got.Calls.Missing != 7 {
			t.Errorf("%s: %d records, (-want +got):\n%s", what, records, diff)
		}
	}
	for what, none := range map[string][]byte{"nothing": nil, "text": []byte(strings.Repeat("x", 1000))} {
		if _, _, err := d.Describe(bytes.NewReader(none)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
