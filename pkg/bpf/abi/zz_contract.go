// SPDX-License-Identifier: Apache-2.0

// Code generated from bpf/contract.h; DO NOT EDIT.

package abi

// enum limits
const (
	ABIVersion     = 0x3
	LeafSize       = 0x100
	PathSize       = 0x200
	LabelsSize     = 0x1000
	SubjectSize    = 0x80
	CommSize       = 0x10
	ArgsMax        = 0x6
	CapturesMax    = 0x2
	CaptureLimit   = 0x400
	ArgvLimit      = 0x8000
	ExecPathLimit  = 0x400
	ExecHeadLimit  = 0x500
	ArgsLimit      = 0x100
	RecordLimit    = 0x900
	SyscallsMax    = 0x200
	TornMax        = 0x8
	ChildrenMax    = 0x400
	PendingSeconds = 0x12c
)

// enum who_flags
const (
	WhoSandbox         = 0x1
	WhoRecord          = 0x2
	WhoLabelsTruncated = 0x4
	WhoAdopted         = 0x8
)

// enum state
const (
	StateFree    = 0x0
	StateCreated = 0x1
	StateRunning = 0x2
	StateExited  = 0x3
	StateEnded   = 0x4
)

// enum label_source
const (
	LabelsAgent      = 0x1
	LabelsKubernetes = 0x2
	LabelsCri        = 0x3
	LabelsDocker     = 0x4
)

// enum labels_flags
const (
	LabelsTruncated = 0x1
)

// enum writer_constants
const (
	WriterExact   = 0x1
	WriterExecLog = 0x7fffffff
)

// enum number
const (
	NumberBits  = 0xd
	NumberMask  = 0x1fff
	NumberNone  = 0x1fff
	NumberOther = 0x1ffe
)

// enum commit
const (
	CommitStep = 0x9e3779b97f4a7c15
)

// enum call_flags
const (
	CallWideArgs      = 0x3f
	CallWideResult    = 0x40
	CallLongComm      = 0x80
	CallUnfinished    = 0x100
	CallNoEnter       = 0x200
	CallCompat        = 0x400
	CallX32           = 0x800
	CallUnitShift     = 0xc
	CallUnitMask      = 0x3000
	CallCapturesShift = 0xe
)

// enum capture_flags
const (
	CaptureTruncated = 0x1
	CaptureFault     = 0x2
	CaptureLate      = 0x4
)

// enum capture_kind
const (
	CaptureNone       = 0x0
	CaptureString     = 0x1
	CaptureIn         = 0x2
	CaptureOut        = 0x3
	CaptureFixedIn    = 0x4
	CaptureFixedOut   = 0x5
	CaptureVectorIn   = 0x6
	CaptureVectorOut  = 0x7
	CaptureMessageIn  = 0x8
	CaptureMessageOut = 0x9
)

// enum exec_flags
const (
	ExecTruncated   = 0x1
	ExecFault       = 0x2
	ExecRuntime     = 0x4
	ExecInterpreted = 0x8
)

// enum counter
const (
	CountPendingStale     = 0x0
	CountPendingElsewhere = 0x1
	CountNoIdentity       = 0x2
	CountNoRing           = 0x3
	CountNoBinding        = 0x4
	CountChildren         = 0x5
	CountNoStorage        = 0x6
	CountBusy             = 0x7
	CountStaleRing        = 0x8
	CountTorn             = 0x9
	Counters              = 0xa
)

// Who is struct who.
type Who struct {
	Flags          uint32
	MountNamespace uint32
	LabelsLength   uint32
	Reserved       uint32
	Engine         [16]byte
	ID             [256]byte
	SandboxID      [128]byte
	Namespace      [64]byte
	Pod            [256]byte
	PodUID         [64]byte
	Container      [128]byte
	Image          [256]byte
	Labels         [4096]byte
}

// SizeofWho is the size of struct who in bytes.
const SizeofWho = 5280

// Pending is struct pending.
type Pending struct {
	Time       uint64
	PathLength uint32
	Reserved   uint32
	Path       [512]byte
	Who        Who
}

// SizeofPending is the size of struct pending in bytes.
const SizeofPending = 5808

// Identity is struct identity.
type Identity struct {
	Cgroup         uint64
	Created        uint64
	Started        uint64
	Exited         uint64
	Ended          uint64
	Generation     uint32
	State          uint32
	Ring           uint32
	RingGeneration uint32
	Init           uint32
	ExitStatus     uint32
	Children       uint32
	Reserved       uint32
	Who            Who
}

// SizeofIdentity is the size of struct identity in bytes.
const SizeofIdentity = 5352

// LabelsKey is struct labels_key.
type LabelsKey struct {
	Source   uint32
	Reserved uint32
	Subject  [128]byte
}

// SizeofLabelsKey is the size of struct labels_key in bytes.
const SizeofLabelsKey = 136

// Labels is struct labels.
type Labels struct {
	Updated uint64
	Flags   uint32
	Length  uint32
	Name    [256]byte
	Image   [256]byte
	Text    [4096]byte
}

// SizeofLabels is the size of struct labels in bytes.
const SizeofLabels = 4624

// Torn is struct torn.
type Torn struct {
	Position uint64
	Length   uint64
	Head     uint64
	Sequence uint64
}

// SizeofTorn is the size of struct torn in bytes.
const SizeofTorn = 32

// Ring is struct ring.
type Ring struct {
	Head               uint64
	Written            uint64
	Generation         uint32
	Identity           uint32
	IdentityGeneration uint32
	Reserved           uint32
	Base               uint64
	Lost               uint64
	TornCount          uint64
	Torn               [8]Torn
}

// SizeofRing is the size of struct ring in bytes.
const SizeofRing = 312

// Writer is struct writer.
type Writer struct {
	Position uint64
	Ring     uint32
	Reserved [13]uint32
}

// SizeofWriter is the size of struct writer in bytes.
const SizeofWriter = 64

// Entry is struct entry.
type Entry struct {
	Commit uint64
	Time   uint64
	Words  uint16
	CPU    uint16
	Number uint16
	Flags  uint16
}

// SizeofEntry is the size of struct entry in bytes.
const SizeofEntry = 24

// Call is struct call.
type Call struct {
	Entry    Entry
	TID      uint32
	PID      uint32
	Duration uint32
	Result   uint32
	Comm     [8]byte
}

// SizeofCall is the size of struct call in bytes.
const SizeofCall = 48

// CaptureHeader is struct capture_header.
type CaptureHeader struct {
	Length uint16
	Arg    uint8
	Flags  uint8
}

// SizeofCaptureHeader is the size of struct capture_header in bytes.
const SizeofCaptureHeader = 4

// Capture is struct capture.
type Capture struct {
	Kind     uint8
	Arg      uint8
	Length   uint8
	Reserved uint8
}

// SizeofCapture is the size of struct capture in bytes.
const SizeofCapture = 4

// Syscall is struct syscall.
type Syscall struct {
	Args     uint8
	Exec     uint8
	Reserved [2]uint8
	Captures [2]Capture
}

// SizeofSyscall is the size of struct syscall in bytes.
const SizeofSyscall = 12

// Exec is struct exec.
type Exec struct {
	Entry      Entry
	Sequence   uint64
	Cgroup     uint64
	Identity   uint32
	Generation uint32
	PID        uint32
	TID        uint32
	PPID       uint32
	UID        uint32
	Result     int32
	Argc       uint32
	ArgvLength uint32
	PathLength uint32
	Comm       [16]byte
	ParentComm [16]byte
}

// SizeofExec is the size of struct exec in bytes.
const SizeofExec = 112

// PendingCall is struct pending_call.
type PendingCall struct {
	Cgroup         uint64
	Ring           uint32
	RingGeneration uint32
	BodyLength     uint32
	Reserved       uint32
	Call           Call
}

// SizeofPendingCall is the size of struct pending_call in bytes.
const SizeofPendingCall = 72

// ABI is struct abi.
type ABI struct {
	Secret          uint64
	Loaded          uint64
	Version         uint32
	Rings           uint32
	RingSize        uint32
	RingStride      uint32
	Identities      uint32
	ExecSegments    uint32
	ExecSegmentSize uint32
	ExecStride      uint32
	CaptureSize     uint32
	ArgvSize        uint32
	Writers         uint32
	Reserved        uint32
	Build           uint64
	Replaced        uint64
}

// SizeofABI is the size of struct abi in bytes.
const SizeofABI = 80

// BindRequest is struct bind_request.
type BindRequest struct {
	Cgroup  uint64
	Parent  uint64
	Created uint64
	Init    uint32
	Removed uint32
	Leaf    [256]byte
}

// SizeofBindRequest is the size of struct bind_request in bytes.
const SizeofBindRequest = 288
