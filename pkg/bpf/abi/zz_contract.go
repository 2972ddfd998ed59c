// SPDX-License-Identifier: Apache-2.0

// Code generated from bpf/contract.h; DO NOT EDIT.

package abi

// enum limits
const (
	ABIVersion     = 0x4
	LeafSize       = 0x100
	PathSize       = 0x200
	LabelsSize     = 0x1000
	SubjectSize    = 0x80
	CommSize       = 0x10
	ArgsMax        = 0x6
	CaptureLimit   = 0x400
	ArgvLimit      = 0x8000
	ExecPathLimit  = 0x400
	ExecHeadLimit  = 0x500
	ArgsLimit      = 0x100
	RecordLimit    = 0xa00
	SyscallsMax    = 0x200
	TornMax        = 0x8
	ThreadsMax     = 0x4000
	ThreadsTotal   = 0x10000
	ThreadsShare   = 0x400
	ChildrenMax    = 0x400
	ChildrenAll    = 0x2000
	PendingSeconds = 0x12c
	PendingMax     = 0x400
	DepthMax       = 0x10
)

// enum who_flags
const (
	WhoSandbox         = 0x1
	WhoRecord          = 0x2
	WhoLabelsTruncated = 0x4
	WhoAdopted         = 0x8
	WhoNoContents      = 0x10
	WhoFilesOnly       = 0x20
	WhoRestored        = 0x40
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

// enum lane
const (
	LaneRecent    = 0x0
	LaneFirst     = 0x1
	LaneDistinct  = 0x2
	LaneSaid      = 0x3
	LaneRuntime   = 0x4
	LaneFiles     = 0x5
	Lanes         = 0x6
	LaneSlots     = 0x8
	LaneShift     = 0x18
	SeenWays      = 0x10
	SeenDistinct  = 0x1
	SeenFirst     = 0x2
	SeenFiles     = 0x4
	SeenFileShift = 0x30
	Groups        = 0x100
	GroupCost     = 0x4
	FirstLimit    = 0x40
	FirstOpened   = 0x40
	RuntimeBudget = 0x800
	SeenBusy      = 0x1
)

// enum exec_shares
const (
	ExecParts        = 0x2
	ExecShare        = 0x8
	ExecShareSeconds = 0x258
)

// enum holders
const (
	Holders      = 0x4000
	HeldThreads  = 0x8000
	HeldChildren = 0x8001
	HeldNowhere  = 0x8002
	Held         = 0x8003
	KeptPart     = 0x8
)

// enum slot_constants
const (
	SlotUnused   = 0x1
	SlotKept     = 0x40000000
	KeepLimit    = 0x4
	KeepMost     = 0x30
	IdentityNone = 0x7fffffff
)

// enum bind_action
const (
	BindCgroup  = 0x0
	BindKeep    = 0x1
	BindRelease = 0x2
	BindClaim   = 0x3
	BindDiscard = 0x4
	BindErase   = 0x5
)

// enum bind_answer
const (
	BindDone  = 0x3e8
	BindGone  = 0x3e9
	BindLimit = 0x3ea
	BindRuns  = 0x3eb
	BindBusy  = 0x3ec
)

// enum refusal_constants
const (
	RefusalsMax = 0x8
)

// enum writer_constants
const (
	WriterExact   = 0x1
	WriterExecLog = 0x7fff0000
)

// enum number
const (
	NumberMask      = 0x3ff
	NumberNone      = 0x3ff
	NumberSignal    = 0x3fe
	NumberOther     = 0x3f0
	NumberArgsShift = 0xa
	NumberABIShift  = 0xd
)

// enum number_abi
const (
	NumberNative = 0x0
	NumberCompat = 0x1
	NumberX32    = 0x2
)

// enum signal_args
const (
	SignalNumber  = 0x0
	SignalCode    = 0x1
	SignalAddress = 0x2
	SignalSender  = 0x3
	SignalAction  = 0x4
	SignalArgs    = 0x5
)

// enum commit
const (
	CommitStep = 0x9e3779b97f4a7c15
)

// enum call_flags
const (
	CallWideArgs   = 0x3f
	CallWideResult = 0x40
	CallLongComm   = 0x80
	CallUnfinished = 0x100
	CallNoEnter    = 0x200
	CallPids       = 0x400
	CallOom        = 0x800
	CallUnitShift  = 0xc
	CallUnitMask   = 0x3000
)

// enum capture_flags
const (
	CaptureTruncated = 0x1
	CaptureFault     = 0x2
	CaptureLate      = 0x4
	CaptureOutput    = 0x8
	CaptureKernel    = 0x10
)

// enum capture_tag
const (
	CaptureArgMask   = 0x7
	CaptureResult    = 0x6
	CapturePartShift = 0x3
)

// enum capture_kind
const (
	CaptureNone        = 0x0
	CaptureString      = 0x1
	CaptureBytes       = 0x2
	CaptureVector      = 0x3
	CaptureMessage     = 0x4
	CaptureMessages    = 0x5
	CapturePointers    = 0x6
	CaptureSubmissions = 0x7
	CaptureCompletions = 0x8
	CaptureDescriptors = 0x9
	CaptureBlocked     = 0xa
)

// enum part
const (
	PartWhole       = 0x0
	PartVector      = 0x1
	PartData        = 0x2
	PartName        = 0x3
	PartControl     = 0x4
	PartRoom        = 0x5
	PartInner       = 0x6
	PartSent        = 0x7
	PartStrings     = 0x8
	PartSubmission  = 0x9
	PartCompletions = 0xa
	PartChild       = 0x0
	PartFile        = 0x1
	PartCwd         = 0x2
	PartStdio       = 0x3
	PartBlocked     = 0x6
)

// enum capture_moment
const (
	AtEnter     = 0x0
	AtSuccess   = 0x1
	AtPositive  = 0x2
	AtInterrupt = 0x3
	AtExit      = 0x4
)

// enum capture_elements
const (
	ElementsOne      = 0x0
	ElementsArgument = 0x1
	ElementsResult   = 0x2
	ElementsPointed  = 0x3
	ElementsBits     = 0x4
	ElementsCommand  = 0x5
	ElementsPages    = 0x6
)

// enum row_flags
const (
	RowContent = 0x1
	RowStruct  = 0x2
	RowFollow  = 0x4
	RowNarrow  = 0x8
	RowInt     = 0x10
	RowUnless  = 0x20
	RowAddress = 0x40
)

// enum resolved_flags
const (
	ResolvedDeleted  = 0x1
	ResolvedDetached = 0x2
)

// enum captures
const (
	Rows         = 0x4
	ChainMax     = 0x7
	ChainedMax   = 0x80
	X32First     = 0x200
	X32Max       = 0x40
	SyscallsX32  = 0x480
	SyscallsNone = 0x4c0
	StructsLimit = 0x200
)

// enum exec_flags
const (
	ExecTruncated   = 0x1
	ExecFault       = 0x2
	ExecRuntime     = 0x4
	ExecInterpreted = 0x8
	ExecErased      = 0x10
)

// enum traits
const (
	TraitHot         = 0x1
	TraitPath        = 0x2
	TraitWrite       = 0x4
	TraitResolve     = 0x8
	TraitEnters      = 0x10
	TraitCopies      = 0x20
	TraitSocketError = 0x40
)

// enum counter
const (
	CountPendingStale     = 0x0
	CountPendingElsewhere = 0x1
	CountPendingRefused   = 0x2
	CountNoIdentity       = 0x3
	CountNoRing           = 0x4
	CountNoBinding        = 0x5
	CountNoStorage        = 0x6
	CountThreads          = 0x7
	CountBusy             = 0x8
	CountStaleRing        = 0x9
	CountTorn             = 0xa
	CountDisplaced        = 0xb
	CountOccupied         = 0xc
	Counters              = 0xd
	CountersMax           = 0x40
)

// PendingKey is struct pending_key.
type PendingKey struct {
	Ancestor uint64
	Leaf     [256]byte
}

// SizeofPendingKey is the size of struct pending_key in bytes.
const SizeofPendingKey = 264

// Who is struct who.
type Who struct {
	Flags          uint32
	MountNamespace uint32
	LabelsLength   uint32
	PodHash        uint16
	NamespaceHash  uint16
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
	Levels     uint32
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
	Candidate      uint32
	Heir           uint32
	ExitStatus     uint32
	Children       uint32
	Left           uint32
	Threads        uint32
	Refused        uint32
	Nowhere        uint32
	Reserved       uint32
	ExecsBeyond    uint64
	Who            Who
}

// SizeofIdentity is the size of struct identity in bytes.
const SizeofIdentity = 5384

// Refusal is struct refusal.
type Refusal struct {
	Time uint64
	UID  uint32
	PID  uint32
	Comm [16]byte
	Path [256]byte
}

// SizeofRefusal is the size of struct refusal in bytes.
const SizeofRefusal = 288

// Refusals is struct refusals.
type Refusals struct {
	Written uint64
	Last    [8]Refusal
}

// SizeofRefusals is the size of struct refusals in bytes.
const SizeofRefusals = 2312

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
	Base               uint64
	Written            uint64
	Lost               uint64
	Generation         uint32
	Identity           uint32
	IdentityGeneration uint32
	Used               uint32
	TornCount          uint64
	Torn               [8]Torn
}

// SizeofRing is the size of struct ring in bytes.
const SizeofRing = 312

// Total is struct total.
type Total struct {
	Count  uint64
	Failed uint64
	Time   uint64
}

// SizeofTotal is the size of struct total in bytes.
const SizeofTotal = 24

// Recording is struct recording.
type Recording struct {
	Lanes            [8]Ring
	Totals           [1024]Total
	Runtime          Total
	FirstGroups      [256]uint16
	DistinctGroups   [256]uint64
	FirstBytes       [4]uint64
	Stdio            [2]uint64
	StdioDescriptors [4]uint64
}

// SizeofRecording is the size of struct recording in bytes.
const SizeofRecording = 29736

// Seen is struct seen.
type Seen struct {
	Position uint64
	Count    uint64
	Last     uint64
}

// SizeofSeen is the size of struct seen in bytes.
const SizeofSeen = 24

// SeenSet is struct seen_set.
type SeenSet struct {
	Signatures [16]uint64
	Entries    [16]Seen
}

// SizeofSeenSet is the size of struct seen_set in bytes.
const SizeofSeenSet = 512

// Slot is struct slot.
type Slot struct {
	Ended     uint64
	Began     uint64
	Pod       uint32
	Namespace uint32
}

// SizeofSlot is the size of struct slot in bytes.
const SizeofSlot = 24

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
	Length uint16
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

// InnerPids is struct inner_pids.
type InnerPids struct {
	TID uint32
	PID uint32
}

// SizeofInnerPids is the size of struct inner_pids in bytes.
const SizeofInnerPids = 8

// Sender is struct sender.
type Sender struct {
	Cgroup   uint64
	PID      uint32
	InnerPID uint32
	User     uint32
	Signal   uint16
	Code     uint16
	Comm     [16]byte
}

// SizeofSender is the size of struct sender in bytes.
const SizeofSender = 40

// Resolved is struct resolved.
type Resolved struct {
	Inode  uint64
	Device uint32
	Mode   uint16
	Flags  uint16
}

// SizeofResolved is the size of struct resolved in bytes.
const SizeofResolved = 16

// Strings is struct strings.
type Strings struct {
	Count uint32
	Flags uint32
}

// SizeofStrings is the size of struct strings in bytes.
const SizeofStrings = 8

// CaptureHeader is struct capture_header.
type CaptureHeader struct {
	Length uint16
	Tag    uint8
	Flags  uint8
}

// SizeofCaptureHeader is the size of struct capture_header in bytes.
const SizeofCaptureHeader = 4

// Capture is struct capture.
type Capture struct {
	Mask    uint32
	Value   uint32
	Size    uint16
	Offset  uint16
	Kind    uint8
	Arg     uint8
	Part    uint8
	Moment  uint8
	Count   uint8
	Length  uint8
	WhenArg uint8
	Flags   uint8
}

// SizeofCapture is the size of struct capture in bytes.
const SizeofCapture = 20

// Syscall is struct syscall.
type Syscall struct {
	HotMask  uint32
	More     uint16
	Args     uint8
	Exec     uint8
	Traits   uint8
	Values   uint8
	Contents uint8
	HotArg   uint8
	Rows     [4]Capture
}

// SizeofSyscall is the size of struct syscall in bytes.
const SizeofSyscall = 92

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
	Lane           uint32
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
	LaneSizes       [8]uint32
	LaneOffsets     [8]uint32
	SeenSets        uint32
	Spare           uint32
	Identities      uint32
	ExecSegments    uint32
	ExecSegmentSize uint32
	ExecStride      uint32
	CaptureSize     uint32
	ArgvSize        uint32
	Writers         uint32
	WholeStructs    uint32
	Build           uint64
	Replaced        uint64
}

// SizeofABI is the size of struct abi in bytes.
const SizeofABI = 152

// BindRequest is struct bind_request.
type BindRequest struct {
	Cgroup  uint64
	Parent  uint64
	Created uint64
	Init    uint32
	Waits   uint16
	Removed uint16
	Owner   uint32
	Action  uint32
	Pending PendingKey
	Path    [256]byte
}

// SizeofBindRequest is the size of struct bind_request in bytes.
const SizeofBindRequest = 560

// Reasons has the texts of bpf/counters.h, by enum counter.
var Reasons = [Counters]Reason{
	CountPendingStale: {
		"pendingStale",
		"containers not registered: their cgroup was made too late",
		"find out why the runtime takes minutes to make a cgroup (is systemd or the disk overloaded?)",
	},
	CountPendingElsewhere: {
		"pendingElsewhere",
		"cgroups not registered: their name matched but their path did not",
		"check that the engine and its runtime use the same cgroup driver",
	},
	CountPendingRefused: {
		"pendingRefused",
		"cgroups not registered: another user than root made a cgroup at the place of a container's",
		"see docs/security.md: somebody may try to take a container's identity",
	},
	CountNoIdentity: {
		"noIdentity",
		"containers not registered: all identities were in use",
		"increase pool.identities in the configuration, then run tracectl unload and tracectl load",
	},
	CountNoRing: {
		"noRing",
		"containers not recorded: all recordings were in use",
		"increase pool.rings in the configuration, then run tracectl unload and tracectl load",
	},
	CountNoBinding: {
		"noBinding",
		"cgroups not followed: the kernel could not store their container",
		"free memory on the host",
	},
	CountNoStorage: {
		"noStorage",
		"calls not recorded: no memory for their task",
		"free memory on the host",
	},
	CountThreads: {
		"threads",
		"calls not recorded: their container has too many threads",
		"run tracectl containers to see which container has so many",
	},
	CountBusy: {
		"busy",
		"calls and execs not written: the CPU was already writing another",
		"ignore if it stays low; otherwise look for other tracers (bpftool prog)",
	},
	CountStaleRing: {
		"staleRing",
		"calls not written: their recording had already ended",
		"ignore if it stays low; otherwise increase pool.rings in the configuration, then run tracectl unload and tracectl load",
	},
	CountTorn: {
		"torn",
		"times that a recording overtook a stalled writer: readers skip the affected calls",
		"ignore if it stays low; otherwise increase pool.ring-size or reduce CPU steal",
	},
	CountDisplaced: {
		"displaced",
		"running containers that are recorded no longer: others had fewer recordings",
		"increase pool.rings in the configuration, then run tracectl unload and tracectl load",
	},
	CountOccupied: {
		"occupied",
		"containers not registered: their cgroup has processes of another container",
		"give each container a cgroup of its own",
	},
}
