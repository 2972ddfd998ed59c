// SPDX-License-Identifier: Apache-2.0

import { FAILED, lowerBound } from "./data";
import { h, later } from "./dom";
import { count, elapsed } from "./format";
import { color, surface } from "./paint";
import type { State } from "./state";

const height = 44;

// Overview shows how many calls there were in all of the time, and which part of it is looked at. The pointer chooses
// that part; so do the arrow keys, + and -, and 0 for all.
export class Overview {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly draw = later(() => this.paint());
  private drag: { from: number; moves: boolean; at: number } | null = null;
  private counts = new Float64Array(0);
  private failed = new Float64Array(0);

  constructor(private readonly state: State) {
    this.element = h("div", { class: "overview", tabindex: 0, role: "slider", "aria-label": "Part of the time that is shown", "aria-valuemin": 0, "aria-valuemax": 100 }, this.canvas);
    for (const topic of ["calls", "runtime"] as const) state.on(topic, () => {
      this.counts = new Float64Array(0);
      this.draw();
    });
    state.on("range", () => {
      this.counts = new Float64Array(0);
      this.draw();
    });
    state.on("theme", this.draw);
    new ResizeObserver(() => {
      this.counts = new Float64Array(0);
      this.draw();
    }).observe(this.element);
    this.element.addEventListener("pointerdown", (e) => this.down(e));
    this.element.addEventListener("pointermove", (e) => this.move(e));
    this.element.addEventListener("pointerup", () => (this.drag = null));
    this.element.addEventListener("dblclick", () => state.look(...state.bounds));
    this.element.addEventListener("keydown", (e) => {
      if (rangeKey(state, e)) e.preventDefault();
    });
  }

  private time(x: number): number {
    const [low, high] = this.state.bounds;
    return low + ((high - low) * x) / Math.max(1, this.element.clientWidth);
  }

  private down(e: PointerEvent): void {
    this.element.setPointerCapture(e.pointerId);
    const at = this.time(e.offsetX);
    const [from, to] = this.state.range;
    this.drag = { from: at, moves: !this.state.whole && at > from && at < to, at };
  }

  private move(e: PointerEvent): void {
    if (!this.drag) return;
    const at = this.time(e.offsetX);
    const { state, drag } = this;
    if (drag.moves) {
      state.look(state.range[0] + at - drag.at, state.range[1] + at - drag.at);
      drag.at = at;
    } else if (Math.abs(at - drag.from) > this.time(3) - this.time(0)) state.look(Math.min(at, drag.from), Math.max(at, drag.from));
  }

  // gather counts the calls of each column.
  private gather(width: number): void {
    const { calls, bounds } = this.state;
    this.counts = new Float64Array(width);
    this.failed = new Float64Array(width);
    const scale = width / (bounds[1] - bounds[0]);
    for (let i = lowerBound(calls.start, calls.count, bounds[0]); i < calls.count; i++) {
      if (!this.state.shows(i)) continue;
      const x = Math.min(width - 1, Math.floor((calls.start[i] - bounds[0]) * scale));
      this.counts[x]++;
      if (calls.flags[i] & FAILED) this.failed[x]++;
    }
  }

  private paint(): void {
    const { state } = this;
    const surfaced = surface(this.canvas, this.element.clientWidth, height);
    if (!surfaced) return;
    const { context: c, width } = surfaced;
    if (this.counts.length !== width) this.gather(width);
    const [low, high] = state.bounds;
    const most = Math.log1p(this.counts.reduce((a, b) => Math.max(a, b), 1));
    c.clearRect(0, 0, width, height);
    for (let x = 0; x < width; x++) {
      if (this.counts[x] === 0) continue;
      const tall = Math.max(2, (Math.log1p(this.counts[x]) / most) * (height - 6));
      c.fillStyle = color("accent-soft");
      c.fillRect(x, height - tall, 1, tall);
    }
    c.fillStyle = color("fail");
    for (let x = 0; x < width; x++) {
      if (this.failed[x] > 0) c.fillRect(x, height - 5 - 5 * Math.min(1, this.failed[x] / this.counts[x]), 2, 5 + 5 * Math.min(1, this.failed[x] / this.counts[x]));
    }
    if (!state.whole) {
      const [from, to] = state.range.map((t) => ((t - low) / (high - low)) * width);
      c.fillStyle = color("veil");
      c.fillRect(0, 0, from, height);
      c.fillRect(to, 0, width - to, height);
      c.fillStyle = color("accent");
      c.fillRect(Math.min(from, width - 2), 0, 1.5, height);
      c.fillRect(Math.max(from + 2, to - 1.5), 0, 1.5, height);
    }
    const [from, to] = state.range;
    this.element.setAttribute("aria-valuenow", String(Math.round((100 * ((from + to) / 2 - low)) / (high - low))));
    this.element.setAttribute("aria-valuetext", state.whole ? `all of the time, ${count(state.calls.count, "call")}` : `${elapsed(from)} to ${elapsed(to)}`);
  }
}

// rangeKey moves or zooms the range by a key, and reports whether it is one for that.
export function rangeKey(state: State, e: KeyboardEvent): boolean {
  if (e.ctrlKey || e.metaKey || e.altKey) return false;
  const [from, to] = state.range;
  const step = (to - from) / 5;
  switch (e.key) {
    case "ArrowLeft":
      state.look(from - step, to - step);
      return true;
    case "ArrowRight":
      state.look(from + step, to + step);
      return true;
    case "+":
    case "=":
      state.zoom(0.5);
      return true;
    case "-":
      state.zoom(2);
      return true;
    case "0":
      state.look(...state.bounds);
      return true;
  }
  return false;
}
