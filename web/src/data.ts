// SPDX-License-Identifier: Apache-2.0

// The data of a report, as pkg/report writes it. Times are in nanoseconds since the container's creation. Texts come from
// the container: they are hostile, and become text of the page only.

export interface Evidence {
  tid: number;
  at: number;
  process: number;
  text: string;
  note?: string;
  failed?: boolean;
}

export interface Cause {
  rule: string;
  because: string;
  certainty: "certain" | "likely" | "possible";
  title: string;
  evidence: Evidence[];
}

export interface Process {
  pid: number;
  inner: number;
  parent: number;
  comm: string;
  began: number;
  ended: number | null;
  code: number;
  signal?: string;
  oom?: boolean;
  execs: { at: number; path: string; args: string[] }[];
  runtime?: boolean;
}

export interface Said {
  at: number;
  process: number;
  fd: number;
  text: string;
  cut?: boolean;
}

export interface Total {
  syscall: string;
  count: number;
  failed: number;
  time: number;
}

// Use is what was done with a file or an address.
export interface Use {
  what: string;
  shown: string;
  kind: string;
  did: string;
  calls: number;
  failed: number;
  read: number;
  written: number;
  time: number;
  last: number;
  by: number[];
}

export interface Head {
  version: number;
  made: string;
  created: string;
  name: string;
  id: string;
  image: string;
  engine: string;
  labels: Record<string, string>;
  state: string;
  started: boolean;
  exited: boolean;
  expected: boolean;
  code: number | null;
  signal: string;
  at: number;
  ran: number;
  causes: Cause[];
  culprit: number;
  via: number[];
  last: Evidence[];
  lines: Said[];
  processes: Process[];
  said: Said[];
  totals: Total[];
  files: Use[];
  net: Use[];
  questions: string[];
  kept: { calls: number; overwritten: number; lost: number; malformed: number; complete: number | null; withheld?: string };
}

export interface Thread {
  process: number;
  tid: number;
  inner: number;
  calls: number[]; // indexes of its calls, by start
  failed: number[]; // those that failed
}

interface Chunk {
  names: string[];
  errnos: string[];
  comms: string[];
  threads: { process: number; tid: number; inner: number }[];
  start: number[];
  duration: number[];
  thread: number[];
  name: number[];
  errno: number[];
  comm: number[];
  cpu: number[];
  flags: number[];
  text: string[];
  repeats: [number, number, number][];
}

// The flags of a call.
export const FAILED = 1;
export const IN_FLIGHT = 2;
export const UNFINISHED = 4;
export const EVENT = 8;
export const RUNTIME = 16;
export const SPARSE = 32;

// VERSION is the one of the data that this page can read.
export const VERSION = 1;

// Calls has the columns of all calls, in the order of their starts.
export class Calls {
  count = 0;
  start = new Float64Array(0);
  duration = new Float64Array(0);
  thread = new Uint32Array(0);
  name = new Uint32Array(0);
  errno = new Int16Array(0);
  comm = new Uint32Array(0);
  cpu = new Uint16Array(0);
  flags = new Uint8Array(0);
  text: string[] = [];
  repeats = new Map<number, { count: number; last: number }>();
  names: string[] = [];
  errnos: string[] = [];
  comms: string[] = [];
  threads: Thread[] = [];
  private last = 0;

  // add takes over the calls of a chunk.
  add(chunk: Chunk): void {
    const from = this.count;
    const to = from + chunk.start.length;
    this.grow(to);
    this.names.push(...chunk.names);
    this.errnos.push(...chunk.errnos);
    this.comms.push(...chunk.comms);
    for (const t of chunk.threads) this.threads.push({ ...t, calls: [], failed: [] });
    this.duration.set(chunk.duration, from);
    this.thread.set(chunk.thread, from);
    this.name.set(chunk.name, from);
    this.errno.set(chunk.errno, from);
    this.comm.set(chunk.comm, from);
    this.cpu.set(chunk.cpu, from);
    this.flags.set(chunk.flags, from);
    for (let i = from; i < to; i++) {
      this.last += chunk.start[i - from];
      this.start[i] = this.last;
      this.text.push(chunk.text[i - from]);
      const thread = this.threads[this.thread[i]];
      thread.calls.push(i);
      if (this.flags[i] & FAILED) thread.failed.push(i);
    }
    for (const [i, count, last] of chunk.repeats) this.repeats.set(from + i, { count, last });
    this.count = to;
  }

  // find returns the index of the call of a thread that began at a time, or -1.
  find(tid: number, at: number): number {
    for (let i = lowerBound(this.start, this.count, at); i < this.count && this.start[i] === at; i++) {
      if (this.threads[this.thread[i]].tid === tid) return i;
    }
    return -1;
  }

  end(i: number): number {
    return this.start[i] + this.duration[i];
  }

  private grow(count: number): void {
    if (count <= this.start.length) return;
    const size = Math.max(count, 2 * this.start.length);
    const more = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.start = more(new Float64Array(size), this.start);
    this.duration = more(new Float64Array(size), this.duration);
    this.thread = more(new Uint32Array(size), this.thread);
    this.name = more(new Uint32Array(size), this.name);
    this.errno = more(new Int16Array(size), this.errno);
    this.comm = more(new Uint32Array(size), this.comm);
    this.cpu = more(new Uint16Array(size), this.cpu);
    this.flags = more(new Uint8Array(size), this.flags);
  }
}

// lowerBound returns the first index whose value is at least the given one, in a sorted list.
export function lowerBound(values: ArrayLike<number>, count: number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// read decodes the data: base64 of gzip of lines of JSON, first the head, and then chunks of calls.
export async function read(base64: string, head: (h: Head) => void, chunk: (c: Chunk) => void): Promise<void> {
  const binary = atob(base64.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const reader = new Blob([bytes])
    .stream()
    .pipeThrough(new DecompressionStream("gzip"))
    .pipeThrough(new TextDecoderStream())
    .getReader();
  let first = true;
  const take = (line: string): void => {
    if (first) head(JSON.parse(line) as Head);
    else chunk(JSON.parse(line) as Chunk);
    first = false;
  };
  let parts: string[] = [];
  let paused = performance.now();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    let rest = value;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      parts.push(rest.slice(0, end));
      take(parts.join(""));
      parts = [];
      rest = rest.slice(end + 1);
    }
    parts.push(rest);
    if (performance.now() - paused > 30) {
      await pause();
      paused = performance.now();
    }
  }
}

// pause lets the browser draw and handle events.
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
