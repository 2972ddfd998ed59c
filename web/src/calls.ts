// SPDX-License-Identifier: Apache-2.0

import { FAILED, pause, UNFINISHED, EVENT } from "./data";
import { fill, h, mono } from "./dom";
import { duration, elapsed, named, number } from "./format";
import { List } from "./list";
import { Overview } from "./overview";
import type { State } from "./state";

// CallsView is the table of calls, with its filters.
export class CallsView {
  readonly element: HTMLElement;
  private readonly list: List;
  private readonly found = h("output", { class: "found", "aria-live": "polite" });
  private readonly text = h("input", { type: "search", id: "search", placeholder: "Search: text or /expression/", "aria-label": "Search calls", autocomplete: "off", spellcheck: "false", input: () => this.soon() });
  private readonly name = h("select", { id: "by-name", "aria-label": "Call", change: () => this.filter() });
  private readonly process = h("select", { id: "by-process", "aria-label": "Process", change: () => this.filter() });
  private readonly error = h("select", { id: "by-error", "aria-label": "Result", change: () => this.filter() });
  private readonly order = h("select", { id: "order", "aria-label": "Order", change: () => this.filter() },
    h("option", { value: "time" }, "by time"), h("option", { value: "took" }, "slowest first"));
  private readonly span = h("button", { type: "button", class: "chip", title: "Show all of the time", click: () => this.state.look(...this.state.bounds) });
  private shown: Uint32Array = new Uint32Array(0);
  private count = 0;
  private run = 0;
  private timer = 0;

  constructor(private readonly state: State) {
    this.list = new List({
      label: "Calls", role: "grid", height: 26,
      row: (row, i) => this.row(row, this.shown[i]),
      selected: (i) => state.select(this.shown[i]),
      activated: () => document.getElementById("detail")?.focus(),
      key: (e) => e.key === "n" || e.key === "N" ? this.step(e.key === "n" ? 1 : -1) : false,
    });
    const head = h("div", { class: "columns", "aria-hidden": "true" },
      ...["Time", "Process", "Call", "Result", "Took"].map((c) => h("span", {}, c)));
    const clear = h("button", { type: "button", class: "plain", click: () => this.clear() }, "Clear");
    this.element = h("div", { class: "calls" },
      new Overview(state).element,
      h("div", { class: "filters", role: "search" }, this.text, this.error, this.name, this.process, this.order, this.span, clear, this.found),
      h("div", { class: "table" }, head, this.list.element));
    state.on("calls", () => {
      this.choices();
      void this.filter();
    });
    state.on("runtime", () => void this.filter());
    state.on("range", () => this.soon());
    state.on("selected", () => this.follow());
  }

  focusSearch(): void {
    this.text.focus();
    this.text.select();
  }

  // only shows the calls of a name, of a process, those that failed, or those with a text.
  only(by: { name?: string; process?: number; error?: string; text?: string }): void {
    this.clear(false);
    if (by.text !== undefined) this.text.value = by.text;
    if (by.name !== undefined) this.name.value = by.name;
    if (by.process !== undefined) this.process.value = String(by.process);
    if (by.error !== undefined) this.error.value = by.error;
    void this.filter();
  }

  private clear(filter = true): void {
    this.text.value = this.name.value = this.process.value = this.error.value = "";
    this.order.value = "time";
    this.state.look(...this.state.bounds);
    if (filter) void this.filter();
  }

  // choices fills the lists of names, processes and errors.
  private choices(): void {
    const { calls, head } = this.state;
    const names = new Array<number>(calls.names.length).fill(0);
    const errnos = new Array<number>(calls.errnos.length).fill(0);
    const processes = new Set(calls.threads.map((t) => t.process));
    for (let i = 0; i < calls.count; i++) {
      names[calls.name[i]]++;
      if (calls.errno[i] >= 0) errnos[calls.errno[i]]++;
    }
    const options = (select: HTMLSelectElement, first: [string, string][], all: [string, string][]): void => {
      const value = select.value;
      fill(select, ...[...first, ...all].map(([v, text]) => h("option", { value: v }, text)));
      select.value = value;
    };
    const counted = (texts: string[], counts: number[]): [string, string][] =>
      texts.map((t, i) => [t, counts[i]] as const).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([t, n]) => [t, `${t} (${number(n)})`]);
    const most = 1000;
    options(this.name, [["", "all calls"]], counted(calls.names, names));
    options(this.error, [["", "all results"], ["failed", "failed"], ["ok", "not failed"]], counted(calls.errnos, errnos));
    options(this.process, [["", "all processes"]],
      head.processes.map((p, i) => [String(i), named(p)] as [string, string]).filter(([i]) => processes.has(Number(i))).slice(0, most));
  }

  private soon(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.filter(), 80);
  }

  // matcher returns what the text must match, or null for a wrong expression.
  private matcher(): ((text: string) => boolean) | null {
    const text = this.text.value.trim();
    if (text === "") return () => true;
    const expression = /^\/(.+)\/$/.exec(text);
    try {
      const re = new RegExp(expression ? expression[1] : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
      return (t) => re.test(t);
    } catch {
      return null;
    }
  }

  // filter finds the calls to show, in slices of time so that typing is never held up.
  async filter(): Promise<void> {
    const run = ++this.run;
    const { calls, range, whole } = this.state;
    const matches = this.matcher();
    this.text.setAttribute("aria-invalid", String(matches === null));
    const name = calls.names.indexOf(this.name.value);
    const errno = calls.errnos.indexOf(this.error.value);
    const process = this.process.value === "" ? -2 : Number(this.process.value);
    const [from, to] = range;
    const failed = this.error.value === "failed";
    const ok = this.error.value === "ok";
    let found = new Uint32Array(calls.count);
    let n = 0;
    let began = performance.now();
    for (let i = 0; matches && i < calls.count; i++) {
      if ((i & 8191) === 0 && performance.now() - began > 12) {
        await pause();
        if (run !== this.run) return;
        began = performance.now();
      }
      if (!this.state.shows(i)) continue;
      if (!whole && (calls.start[i] > to || calls.end(i) < from)) continue;
      if (name >= 0 && calls.name[i] !== name) continue;
      if (errno >= 0 && calls.errno[i] !== errno) continue;
      if (failed && !(calls.flags[i] & FAILED)) continue;
      if (ok && calls.flags[i] & FAILED) continue;
      if (process !== -2 && calls.threads[calls.thread[i]].process !== process) continue;
      if (!matches(calls.text[i]) && !matches(calls.comms[calls.comm[i]])) continue;
      found[n++] = i;
    }
    found = found.subarray(0, n);
    if (this.order.value === "took") found.sort((a, b) => calls.duration[b] - calls.duration[a]);
    this.shown = found;
    this.count = n;
    fill(this.found, matches ? `${number(n)} of ${number(calls.count)} calls` : "This expression is not valid");
    this.span.hidden = whole;
    fill(this.span, `${elapsed(from)} to ${elapsed(to)} ×`);
    this.element.dataset.shown = String(n);
    this.list.show(n, this.position(this.state.selected));
    this.follow();
  }

  // position returns the row of a call, or -1.
  private position(call: number): number {
    return call < 0 ? -1 : this.shown.indexOf(call);
  }

  private follow(): void {
    const row = this.position(this.state.selected);
    if (row >= 0) this.list.activate(row, true);
  }

  // step selects the next row that failed.
  private step(by: number): boolean {
    for (let i = this.list.active + by; i >= 0 && i < this.count; i += by) {
      if (this.state.calls.flags[this.shown[i]] & FAILED) {
        this.state.select(this.shown[i]);
        break;
      }
    }
    return true;
  }

  private row(row: HTMLElement, i: number): void {
    const { calls, head } = this.state;
    const flags = calls.flags[i];
    const thread = calls.threads[calls.thread[i]];
    const process = head.processes[thread.process];
    const comm = calls.comms[calls.comm[i]];
    const repeat = calls.repeats.get(i);
    row.classList.toggle("failed", (flags & FAILED) !== 0);
    row.classList.toggle("event", (flags & (EVENT | UNFINISHED)) !== 0);
    const cell = (kind: string, ...children: (Node | string)[]): HTMLElement => h("span", { class: kind, role: "gridcell" }, ...children);
    const text = calls.text[i];
    const name = calls.names[calls.name[i]];
    const call = mono("");
    if (text.startsWith(name)) call.append(h("b", {}, name), text.slice(name.length));
    else call.append(text);
    row.append(
      cell("time", elapsed(calls.start[i])),
      cell("process", process ? `${comm}[${process.inner || `host ${process.pid}`}]` : comm),
      cell("call", call),
      cell("result", calls.errno[i] >= 0 ? calls.errnos[calls.errno[i]] : "", repeat ? ` ×${number(repeat.count)}` : ""),
      cell("took", flags & EVENT ? "" : duration(calls.duration[i])));
  }
}
