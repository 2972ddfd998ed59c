// SPDX-License-Identifier: Apache-2.0

// What all parts of the page share: the data, the part of the time that is looked at, and the call that is selected.

import { Calls, Head, RUNTIME } from "./data";

export type Topic = "calls" | "range" | "selected" | "runtime" | "theme";

export class State {
  readonly calls = new Calls();
  loaded = false;
  runtime = false; // calls of the container runtime are shown
  selected = -1; // index of a call
  range: [number, number];
  bounds: [number, number]; // all of the time
  open: (view: string) => void = () => {};
  private readonly listeners = new Map<Topic, (() => void)[]>();

  constructor(readonly head: Head) {
    this.bounds = [0, Math.max(head.at, 1)];
    this.range = this.bounds;
  }

  on(topic: Topic, f: () => void): void {
    const all = this.listeners.get(topic) ?? [];
    all.push(f);
    this.listeners.set(topic, all);
  }

  tell(topic: Topic): void {
    for (const f of this.listeners.get(topic) ?? []) f();
  }

  // whole reports whether the range is all of the time.
  get whole(): boolean {
    return this.range[0] <= this.bounds[0] && this.range[1] >= this.bounds[1];
  }

  // look sets the range, within the bounds and not narrower than 100 ns.
  look(from: number, to: number): void {
    const [low, high] = this.bounds;
    const width = Math.min(Math.max(to - from, 100), high - low);
    const begin = Math.min(Math.max(from, low), high - width);
    this.range = [begin, begin + width];
    this.tell("range");
  }

  // zoom makes the range wider (factor > 1) or narrower around a time.
  zoom(factor: number, around = (this.range[0] + this.range[1]) / 2): void {
    const [from, to] = this.range;
    this.look(around - (around - from) * factor, around + (to - around) * factor);
  }

  select(i: number): void {
    if (i === this.selected) return;
    this.selected = i;
    this.tell("selected");
  }

  shows(i: number): boolean {
    return this.runtime || (this.calls.flags[i] & RUNTIME) === 0;
  }

  // measure sets the bounds to all calls that are shown.
  measure(): void {
    const { calls, head } = this;
    let [low, high] = [Infinity, head.at];
    for (let i = 0; i < calls.count; i++) {
      if (!this.shows(i)) continue;
      low = Math.min(low, calls.start[i]);
      high = Math.max(high, calls.end(i));
    }
    if (low === Infinity) low = 0;
    const wasWhole = this.whole;
    const margin = Math.max((high - low) * 0.01, 50);
    this.bounds = [low < 0 ? low - margin : Math.max(0, low - margin), high + margin];
    if (wasWhole) this.range = this.bounds;
    this.tell("range");
  }
}
