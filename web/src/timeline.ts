// SPDX-License-Identifier: Apache-2.0

import { EVENT, FAILED, IN_FLIGHT, lowerBound, Thread, UNFINISHED } from "./data";
import { fill, h, later } from "./dom";
import { duration, elapsed, named } from "./format";
import { Overview, rangeKey } from "./overview";
import { color, surface } from "./paint";
import type { State } from "./state";
import { order } from "./tree";

const rowHeight = 24;
const axisHeight = 26;
const font = "11.5px system-ui, sans-serif";

// waits are calls that mostly wait: they are drawn paler.
const waits = new Set(["futex", "wait4", "waitid", "poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2",
  "nanosleep", "clock_nanosleep", "pause", "rt_sigsuspend", "rt_sigtimedwait", "accept", "accept4", "restart_syscall"]);

interface Row {
  thread: Thread;
  process: number;
  first: boolean; // of its process
  depth: number;
}

// Timeline shows the calls of each thread.
export class Timeline {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly space = h("div", { class: "lanes-space" });
  private readonly lanes: HTMLElement;
  private readonly tip = h("div", { class: "tip", hidden: true });
  private readonly span = h("output", { class: "found", "aria-live": "off" });
  private readonly draw = later(() => this.paint());
  private rows: Row[] = [];
  private active = 0;
  private drag: { from: number; to: number; id: number } | null = null;

  constructor(private readonly state: State) {
    this.lanes = h("div", {
      class: "lanes", tabindex: 0, role: "application", "aria-roledescription": "timeline",
      "aria-label": "Calls by thread. Left and right move, plus and minus zoom, up and down choose a thread, comma and period a call, n the next failed call, Enter shows the call in the table.",
    }, this.canvas, this.space);
    const button = (text: string, title: string, f: () => void): HTMLElement => h("button", { type: "button", title, "aria-label": title, click: f }, text);
    this.element = h("div", { class: "timeline" },
      new Overview(state).element,
      h("div", { class: "filters" },
        button("+", "Zoom in (+)", () => state.zoom(0.5)), button("−", "Zoom out (-)", () => state.zoom(2)), button("All", "Show all of the time (0)", () => state.look(...state.bounds)),
        button("Next failure", "Select the next failed call (n)", () => this.failure(1)), this.span,
        h("ul", { class: "legend" }, ...[["call", "call"], ["wait", "waits"], ["fail", "failed"], ["event", "signal, end"]].map(([k, t]) => h("li", { class: k }, t)))),
      this.lanes, this.tip);
    for (const topic of ["calls", "runtime"] as const) state.on(topic, () => this.arrange());
    for (const topic of ["range", "selected", "theme"] as const) state.on(topic, this.draw);
    new ResizeObserver(this.draw).observe(this.lanes);
    this.lanes.addEventListener("scroll", this.draw);
    this.lanes.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.lanes.addEventListener("pointerdown", (e) => this.down(e));
    this.lanes.addEventListener("pointermove", (e) => this.move(e));
    this.lanes.addEventListener("pointerup", (e) => this.up(e));
    this.lanes.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.lanes.addEventListener("dblclick", () => state.zoom(4));
    this.lanes.addEventListener("keydown", (e) => this.key(e));
  }

  // arrange finds the rows: the threads of each process, in the order of the tree.
  private arrange(): void {
    const { calls, head } = this.state;
    const of = new Map<number, Thread[]>();
    for (const t of calls.threads) {
      if (!t.calls.some((i) => this.state.shows(i))) continue;
      const all = of.get(t.process);
      if (all) all.push(t);
      else of.set(t.process, [t]);
    }
    this.rows = [];
    const add = (process: number, depth: number): void => {
      of.get(process)?.forEach((thread, i) => this.rows.push({ thread, process, first: i === 0, depth }));
      of.delete(process);
    };
    for (const { index, depth } of order(head.processes, () => true)) add(index, depth);
    for (const process of [...of.keys()]) add(process, 0);
    this.space.style.height = `${this.rows.length * rowHeight + axisHeight}px`;
    this.draw();
  }

  private get gutter(): number {
    return this.lanes.clientWidth < 560 ? 96 : 172;
  }

  private x(t: number, width: number): number {
    const [from, to] = this.state.range;
    return this.gutter + ((t - from) / (to - from)) * (width - this.gutter);
  }

  private time(x: number): number {
    const [from, to] = this.state.range;
    return from + ((x - this.gutter) / Math.max(1, this.lanes.clientWidth - this.gutter)) * (to - from);
  }

  private paint(): void {
    const { lanes, state } = this;
    const surfaced = surface(this.canvas, lanes.clientWidth, lanes.clientHeight);
    if (!surfaced) return;
    const { context: c, width } = surfaced;
    const tall = lanes.clientHeight;
    const left = this.gutter;
    c.clearRect(0, 0, width, tall);
    c.font = font;
    c.textBaseline = "middle";
    this.gap(c, width, tall);
    this.ticks(c, width, tall);
    const firstRow = Math.max(0, Math.floor(lanes.scrollTop / rowHeight));
    const lastRow = Math.min(this.rows.length, firstRow + Math.ceil(tall / rowHeight) + 1);
    c.save();
    c.beginPath();
    c.rect(0, axisHeight, width, tall - axisHeight);
    c.clip();
    for (let r = firstRow; r < lastRow; r++) {
      const y = axisHeight + r * rowHeight - lanes.scrollTop;
      const row = this.rows[r];
      if (r === this.active && document.activeElement === lanes) {
        c.fillStyle = color("hover");
        c.fillRect(0, y, width, rowHeight);
      }
      if (row.first && r > 0) {
        c.fillStyle = color("line");
        c.fillRect(0, y, width, 1);
      }
      c.save();
      c.beginPath();
      c.rect(left, y, width - left, rowHeight);
      c.clip();
      this.lane(c, row, y, width);
      c.restore();
      this.label(c, row, y, left);
    }
    if (this.drag) {
      const [a, b] = [Math.min(this.drag.from, this.drag.to), Math.max(this.drag.from, this.drag.to)];
      c.fillStyle = color("accent-veil");
      c.fillRect(a, axisHeight, b - a, tall);
    }
    c.restore();
    const [from, to] = state.range;
    fill(this.span, `${elapsed(from)} to ${elapsed(to)} (${duration(to - from)})`);
    lanes.dataset.range = `${from} ${to}`;
  }

  // gap shades the time of which only new calls are kept.
  private gap(c: CanvasRenderingContext2D, width: number, tall: number): void {
    const { complete } = this.state.head.kept;
    if (complete === null) return;
    const left = this.gutter;
    const end = Math.min(width, this.x(complete, width));
    if (end <= left) return;
    c.fillStyle = color("gap");
    c.fillRect(left, axisHeight, end - left, tall);
    if (end < width) {
      c.fillStyle = color("muted");
      c.fillRect(end, axisHeight, 1, tall);
    }
    const text = "only new calls are kept";
    if (end - left > c.measureText(text).width + 16) {
      c.fillStyle = color("muted");
      c.fillText(text, left + 8, tall - 12);
    }
  }

  private ticks(c: CanvasRenderingContext2D, width: number, tall: number): void {
    const [from, to] = this.state.range;
    const wish = (to - from) / Math.max(2, (width - this.gutter) / 120);
    let step = 10 ** Math.floor(Math.log10(wish));
    for (const m of [1, 2, 5, 10]) {
      if (step * m >= wish) {
        step *= m;
        break;
      }
    }
    const digits = Math.min(9, Math.max(0, Math.ceil(9 - Math.log10(step))));
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
      const x = this.x(t, width);
      c.fillStyle = color("grid");
      c.fillRect(Math.round(x), axisHeight - 4, 1, tall);
      c.fillStyle = color("muted");
      const text = elapsed(Math.round(t), digits);
      const half = c.measureText(text).width / 2;
      if (x - half > this.gutter - 20 && x + half < width) c.fillText(text, x - half, 11);
    }
    c.fillStyle = color("line");
    c.fillRect(0, axisHeight - 1, width, 1);
  }

  private label(c: CanvasRenderingContext2D, row: Row, y: number, left: number): void {
    const p = this.state.head.processes[row.process];
    const indent = 10 + Math.min(row.depth, 6) * 10;
    const bad = p && p.ended !== null && (p.code !== 0 || p.signal);
    let text = row.first ? named(p) : `thread ${row.thread.inner || row.thread.tid}`;
    c.fillStyle = color(row.first ? (bad ? "fail" : "text") : "muted");
    const room = left - indent - 8;
    if (c.measureText(text).width > room) {
      while (text.length > 1 && c.measureText(text + "…").width > room) text = text.slice(0, -1);
      text += "…";
    }
    c.fillText(text, indent, y + rowHeight / 2);
  }

  // lane draws the calls of a thread. Of those that share a pixel one is drawn, and failures are drawn over all.
  private lane(c: CanvasRenderingContext2D, row: Row, y: number, width: number): void {
    const { calls, head, range } = this.state;
    const { thread } = row;
    const p = head.processes[row.process];
    if (p) {
      const [a, b] = [this.x(p.began, width), this.x(p.ended ?? head.at, width)];
      c.fillStyle = color("life");
      c.fillRect(a, y + 4, Math.max(1, b - a), rowHeight - 8);
    }
    const perPixel = (range[1] - range[0]) / Math.max(1, width - this.gutter);
    const starts = { length: thread.calls.length };
    const from = this.firstAt(thread.calls, range[0]);
    for (let n = Math.max(0, from - 1); n < starts.length; n++) {
      const i = thread.calls[n];
      if (calls.start[i] > range[1]) break;
      if (!this.state.shows(i) || calls.flags[i] & EVENT) continue;
      const a = this.x(calls.start[i], width);
      const b = calls.flags[i] & IN_FLIGHT ? this.x(head.at, width) : this.x(calls.end(i), width);
      if (b < this.gutter) continue;
      const wait = waits.has(calls.names[calls.name[i]]);
      c.fillStyle = color(wait ? "wait" : "accent");
      const w = Math.max(1, b - a - (b - a > 3 ? 0.5 : 0));
      c.fillRect(a, y + 5, w, rowHeight - 10);
      if (w > 44) {
        const begin = Math.max(a, this.gutter) + 4;
        const text = calls.names[calls.name[i]];
        if (c.measureText(text).width < b - begin - 4) {
          c.fillStyle = color(wait ? "text" : "on-accent");
          c.fillText(text, begin, y + rowHeight / 2 + 0.5);
        }
      } else if (b - a < 1) {
        // The next call that is drawn begins in another pixel.
        const next = this.firstAt(thread.calls, calls.start[i] + perPixel, n + 1);
        n = Math.max(n, next - 1);
      }
    }
    this.failures(c, thread, y, width, perPixel);
    this.events(c, thread, y, width);
  }

  private failures(c: CanvasRenderingContext2D, thread: Thread, y: number, width: number, perPixel: number): void {
    const { calls, range, selected } = this.state;
    c.fillStyle = color("fail");
    for (let n = Math.max(0, this.firstAt(thread.failed, range[0]) - 1); n < thread.failed.length; n++) {
      const i = thread.failed[n];
      if (calls.start[i] > range[1]) break;
      if (!this.state.shows(i)) continue;
      const a = this.x(calls.start[i], width);
      const b = this.x(calls.end(i), width);
      // Those that are too short to be seen alone are marks below the other calls.
      if (b - a > 2) c.fillRect(a, y + 4, b - a, rowHeight - 8);
      else c.fillRect(a, y + rowHeight - 9, 2, 7);
      if (b - a < 1) n = Math.max(n, this.firstAt(thread.failed, calls.start[i] + perPixel, n + 1) - 1);
    }
    if (selected >= 0 && calls.threads[calls.thread[selected]] === thread) {
      const a = this.x(calls.start[selected], width);
      const b = this.x(calls.end(selected), width);
      c.strokeStyle = color("text");
      c.lineWidth = 1.5;
      c.strokeRect(a - 2, y + 2, Math.max(4, b - a + 4), rowHeight - 4);
    }
  }

  // events marks signals and ends of threads.
  private events(c: CanvasRenderingContext2D, thread: Thread, y: number, width: number): void {
    const { calls, range } = this.state;
    let last = -10;
    const mark = (i: number, at: number): void => {
      const x = this.x(at, width);
      if (x - last < 3) return;
      last = x;
      c.fillStyle = color(calls.flags[i] & FAILED ? "fail" : "event");
      c.beginPath();
      c.moveTo(x, y + 3);
      c.lineTo(x + 5, y + rowHeight / 2);
      c.lineTo(x, y + rowHeight - 3);
      c.lineTo(x - 5, y + rowHeight / 2);
      c.fill();
    };
    for (const i of this.marks(thread)) {
      const at = calls.flags[i] & UNFINISHED ? calls.end(i) : calls.start[i];
      if (at >= range[0] && at <= range[1] && this.state.shows(i)) mark(i, at);
    }
  }

  private readonly markCache = new Map<Thread, { length: number; marks: number[] }>();

  private marks(thread: Thread): number[] {
    const known = this.markCache.get(thread);
    if (known && known.length === thread.calls.length) return known.marks;
    const marks = thread.calls.filter((i) => this.state.calls.flags[i] & (EVENT | UNFINISHED));
    this.markCache.set(thread, { length: thread.calls.length, marks });
    return marks;
  }

  // firstAt returns the first position in a list of calls whose start is at least a time.
  private firstAt(indexes: number[], time: number, low = 0): number {
    const { start } = this.state.calls;
    let high = indexes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (start[indexes[middle]] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // at returns the call at a point, or the nearest one within some pixels, or -1. Failed calls go first.
  private at(x: number, y: number): number {
    const row = this.rows[Math.floor((y - axisHeight + this.lanes.scrollTop) / rowHeight)];
    if (!row || x < this.gutter || y < axisHeight) return -1;
    const { calls } = this.state;
    const near = this.time(x + 4) - this.time(x);
    const t = this.time(x);
    for (const indexes of [row.thread.failed, row.thread.calls]) {
      const after = this.firstAt(indexes, t);
      let [best, distance] = [-1, near];
      for (const n of [after - 1, after]) {
        const i = indexes[n];
        if (i === undefined || !this.state.shows(i)) continue;
        const end = calls.flags[i] & IN_FLIGHT ? this.state.head.at : calls.end(i);
        const d = t < calls.start[i] ? calls.start[i] - t : Math.max(0, t - end);
        if (d <= distance) [best, distance] = [i, d];
      }
      if (best >= 0) return best;
    }
    return -1;
  }

  private wheel(e: WheelEvent): void {
    const { state, lanes } = this;
    const [from, to] = state.range;
    const scrolls = lanes.scrollHeight > lanes.clientHeight;
    if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
      const by = ((e.deltaX || e.deltaY) / Math.max(1, lanes.clientWidth)) * (to - from);
      state.look(from + by, to + by);
    } else if (e.ctrlKey || e.metaKey || !scrolls) state.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 150), this.time(this.point(e)[0]));
    else return;
    e.preventDefault();
  }

  private point(e: MouseEvent): [number, number] {
    const box = this.lanes.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  }

  private down(e: PointerEvent): void {
    const [x, y] = this.point(e);
    if (e.button !== 0 || x < this.gutter || x > this.lanes.clientWidth || y > this.lanes.clientHeight) return;
    this.drag = { from: x, to: x, id: e.pointerId };
  }

  private move(e: PointerEvent): void {
    const [x, y] = this.point(e);
    if (this.drag && Math.abs(x - this.drag.from) > 4) {
      this.lanes.setPointerCapture(e.pointerId);
      this.drag.to = Math.max(this.gutter, x);
      this.tip.hidden = true;
      this.draw();
      return;
    }
    const i = this.at(x, y);
    this.tip.hidden = i < 0;
    if (i < 0) return;
    const { calls } = this.state;
    fill(this.tip, h("b", {}, `${elapsed(calls.start[i])}  ${calls.flags[i] & EVENT ? "" : duration(calls.duration[i])}`), h("code", {}, calls.text[i].slice(0, 300)));
    this.tip.classList.toggle("failed", (calls.flags[i] & FAILED) !== 0);
    const box = this.element.getBoundingClientRect();
    this.tip.style.left = `${Math.max(4, Math.min(e.clientX - box.left + 12, box.width - Math.min(420, box.width) - 8))}px`;
    this.tip.style.top = `${e.clientY - box.top + 16}px`;
  }

  private up(e: PointerEvent): void {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (to - from > 4) this.state.look(this.time(from), this.time(to));
    else {
      const [x, y] = this.point(e);
      const i = this.at(x, y);
      this.active = Math.max(0, Math.min(this.rows.length - 1, Math.floor((y - axisHeight + this.lanes.scrollTop) / rowHeight)));
      this.state.select(i);
    }
    this.draw();
  }

  private key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (!this.lanesKey(e) && !rangeKey(this.state, e)) return;
    e.preventDefault();
  }

  private lanesKey(e: KeyboardEvent): boolean {
    switch (e.key) {
      case "ArrowDown":
      case "ArrowUp":
        this.choose(this.active + (e.key === "ArrowDown" ? 1 : -1));
        return true;
      case ",":
      case ".":
        this.step(e.key === "." ? 1 : -1);
        return true;
      case "n":
      case "N":
        this.failure(e.key === "n" ? 1 : -1);
        return true;
      case "Enter":
        if (this.state.selected >= 0) this.state.open("calls");
        return true;
    }
    return false;
  }

  private choose(row: number): void {
    this.active = Math.max(0, Math.min(this.rows.length - 1, row));
    const top = this.active * rowHeight;
    const { lanes } = this;
    if (top < lanes.scrollTop) lanes.scrollTop = top;
    else if (top + rowHeight + axisHeight > lanes.scrollTop + lanes.clientHeight) lanes.scrollTop = top + rowHeight + axisHeight - lanes.clientHeight;
    this.draw();
  }

  // step selects the next call of the chosen thread.
  private step(by: number): void {
    const thread = this.rows[this.active]?.thread;
    if (!thread) return;
    const { selected } = this.state;
    const at = selected < 0 ? -1 : lowerBound(thread.calls, thread.calls.length, selected);
    const i = thread.calls[at < 0 ? this.firstAt(thread.calls, this.state.range[0]) : at + by];
    if (i !== undefined) this.reveal(i);
  }

  // failure selects the next failed call of any thread.
  private failure(by: number): void {
    const { calls, selected } = this.state;
    const begin = selected >= 0 ? selected + by : by > 0 ? 0 : calls.count - 1;
    for (let i = begin; i >= 0 && i < calls.count; i += by) {
      if (calls.flags[i] & FAILED && this.state.shows(i)) {
        this.reveal(i);
        return;
      }
    }
  }

  // reveal selects a call, and moves the range so that it can be seen.
  private reveal(i: number): void {
    const { calls, state } = { calls: this.state.calls, state: this.state };
    const [from, to] = state.range;
    if (calls.start[i] < from || calls.start[i] > to) {
      const half = (to - from) / 2;
      state.look(calls.start[i] - half, calls.start[i] + half);
    }
    const row = this.rows.findIndex((r) => r.thread === calls.threads[calls.thread[i]]);
    if (row >= 0) this.choose(row);
    state.select(i);
  }
}

