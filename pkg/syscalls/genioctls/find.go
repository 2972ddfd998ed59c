// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls/headers"
)

// plain selects ioctls that are plain numbers: constants of a header with such a name, whose second byte is a type.
type plain struct {
	header string
	name   *regexp.Regexp
	types  string
}

// plains are those headers.
var plains = []plain{
	{"asm/ioctls.h", regexp.MustCompile(`^(TC|TIO|FIO)[A-Z0-9]+$`), "\x54"},
	{"asm/sockios.h", regexp.MustCompile(`^(SIOC|FIO)`), "\x89"},
	{"linux/cdrom.h", regexp.MustCompile(`^(CDROM|DVD_)`), "\x53"},
	{"linux/fb.h", regexp.MustCompile(`^FBIO`), "\x46"},
	{"linux/hdreg.h", regexp.MustCompile(`^HDIO_`), "\x03"},
	{"linux/kd.h", regexp.MustCompile(`^(KD[A-Z]|KIOC|GIO_|PIO_)`), "\x4b"},
	{"linux/loop.h", regexp.MustCompile(`^LOOP_`), "\x4c"},
	{"linux/sockios.h", regexp.MustCompile(`^SIOC`), "\x89\x8b"},
	{"linux/vt.h", regexp.MustCompile(`^VT_`), "\x56"},
	{"linux/wireless.h", regexp.MustCompile(`^SIOC`), "\x8b"},
	{"scsi/scsi.h", regexp.MustCompile(`^SCSI_IOCTL_`), "\x53"},
	{"scsi/scsi_ioctl.h", regexp.MustCompile(`^SCSI_IOCTL_`), "\x53"},
	{"scsi/sg.h", regexp.MustCompile(`^SG_`), "\x22"},
}

// notShown are constants made with _IOC that are not shown: on all ABIs those of other architectures, and second names
// of a number; and of ABIs of 32 bits, those that have another name there, such as USBDEVFS_BULK32. A constant that
// stands for another one, or for one of two, is a second name, too.
var notShown = map[string]*regexp.Regexp{
	"":      regexp.MustCompile(`^(__|KVM_(PPC|S390|MIPS|RISCV)_|SOUND_MIXER_(READ|WRITE)_|(` + seconds + `)$)`),
	"amd64": regexp.MustCompile(`^(KVM_ARM|DRM_IOCTL_ARMADA)_`),
	"i386":  regexp.MustCompile(`^((KVM_ARM|DRM_IOCTL_ARMADA)_|(` + renamed + `)$)`),
	"arm":   regexp.MustCompile(`^(KVM_\w*|` + renamed + `)$`),
}

// Parts of these: second names, and those that have another name on ABIs of 32 bits.
const (
	seconds = `VIDIOC_SUBDEV_(\w*STD|[GS]_EDID|\w*DV_TIMINGS\w*)|PPPIOCGIDLE|DMA_BUF_SET_NAME|` +
		`IOCTL_GNTALLOC_SET_UNMAP_NOTIFY`
	renamed = `FS_IOC_[GS]ET(FLAGS|VERSION)|USBDEVFS_(BULK|CONTROL|DISCSIGNAL|IOCTL|REAPURB|REAPURBNDELAY)|` +
		`VIDIOC_(QUERYBUF|QBUF|DQBUF|DQEVENT|PREPARE_BUF|OMAP3ISP_STAT_REQ)|AUTOFS_IOC_SETTIMEOUT|I2OPASSTHRU`
)

// Constants of a header, and what they stand for. A member of an enum is an ioctl if its value calls one of the macros.
var (
	define     = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+([^ \t\n].*)$`)
	enumerated = regexp.MustCompile(`(?m)^[ \t]*(\w+)[ \t]*=[ \t]*_IO[CRW]*\(`)
	comment    = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	second     = regexp.MustCompile(`^\(?[A-Z_a-z]\w*\)?$|\?`) // the name of another constant, or a choice
)

// source is a header, and its constants.
type source struct {
	header    string // as it is included
	constants []constant
}

// constant is an ioctl, or may be one.
type constant struct {
	name       string
	enumerated bool
	types      string // if it is a plain number: the types that it may have
}

// folders returns the folders with headers that define ioctls.
func (t *target) folders() []string {
	folders := []string{filepath.Join(t.Folder, "asm")}
	for name := range strings.FieldsSeq("linux asm-generic sound rdma mtd scsi video xen misc") {
		folders = append(folders, filepath.Join(headers.Common, name))
	}
	for name := range strings.FieldsSeq("drm scsi") {
		folders = append(folders, filepath.Join(headers.Cross, name))
	}
	return folders
}

// sources reads all headers that may define ioctls.
func (t *target) sources() ([]source, error) {
	var all []source
	for _, folder := range t.folders() {
		root := filepath.Dir(folder)
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			header, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			// The header of the architecture includes the one that is for all.
			if s := t.source(strings.Replace(header, "asm-generic/", "asm/", 1), text); s != nil {
				all = append(all, *s)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// source returns the constants of a header, or nil if none of them is an ioctl.
func (t *target) source(header string, text []byte) *source {
	text = comment.ReplaceAll(bytes.ReplaceAll(text, []byte("\\\n"), []byte(" ")), []byte(" "))
	s := source{header: header}
	for _, m := range enumerated.FindAllSubmatch(text, -1) {
		s.constants = append(s.constants, constant{name: string(m[1]), enumerated: true})
	}
	plain := slices.IndexFunc(plains, func(p plain) bool { return p.header == header })
	if plain < 0 && !bytes.Contains(text, []byte("_IO")) {
		return nil
	}
	for _, m := range define.FindAllSubmatch(text, -1) {
		name := string(m[1])
		ignored := notShown[""].MatchString(name) || notShown[t.ABI] != nil && notShown[t.ABI].MatchString(name)
		if ignored || second.Match(bytes.TrimSpace(m[2])) {
			continue
		}
		c := constant{name: name}
		if plain >= 0 && plains[plain].name.MatchString(name) {
			c.types = plains[plain].types
		}
		s.constants = append(s.constants, c)
	}
	return &s
}

// mark is what the preprocessor leaves of the macro _IOC.
const mark = "is_an_ioctl"

// expand keeps the constants of headers that expand to _IOC, are members of an enum, or may be plain numbers.
func (t *target) expand(all []source) error {
	var c strings.Builder
	c.WriteString(prelude)
	for _, s := range all {
		fmt.Fprintf(&c, "#include <%s>\n", s.header)
	}
	c.WriteString("#undef _IOC\n#define _IOC " + mark + "\n")
	for i, s := range all {
		for j, constant := range s.constants {
			fmt.Fprintf(&c, "@%d %d@ %s\n", i, j, constant.name)
		}
	}
	out, err := t.clang(c.String(), "-E", "-P")
	if err != nil {
		return err
	}
	kept := make([][]constant, len(all))
	for line := range strings.Lines(string(out)) {
		var i, j int
		if n, _ := fmt.Sscanf(line, "@%d %d@", &i, &j); n != 2 {
			continue
		}
		c := all[i].constants[j]
		if strings.Contains(line, mark) {
			c.types = ""
		} else if !c.enumerated && c.types == "" {
			continue
		}
		kept[i] = append(kept[i], c)
	}
	for i := range all {
		all[i].constants = kept[i]
	}
	return nil
}
