// SPDX-License-Identifier: Apache-2.0

import { FAILED, EVENT, IN_FLIGHT, UNFINISHED } from "./data";
import { fill, h, mono } from "./dom";
import { duration, elapsed, number } from "./format";
import type { State } from "./state";

type Key = "syscall" | "count" | "failed" | "time" | "mean";

// summary makes the view of totals, errors and the slowest calls.
export function summary(state: State, only: (by: { name?: string; error?: string }) => void): HTMLElement {
  const view = h("div", { class: "summary" });
  const errors = h("section", { class: "card" });
  const slow = h("section", { class: "card" });
  view.append(totals(state, only), errors, slow);
  state.on("calls", () => {
    fillErrors(state, errors, only);
    fillSlow(state, slow);
  });
  return view;
}

function totals(state: State, only: (by: { name: string }) => void): HTMLElement {
  const rows = state.head.totals.map((t) => ({ ...t, mean: t.count > 0 ? t.time / t.count : 0 }));
  const body = h("tbody");
  let by: Key = "time";
  let up = false;
  const columns: [Key, string][] = [["syscall", "Call"], ["count", "Calls"], ["failed", "Failed"], ["time", "Time"], ["mean", "Mean"]];
  const heads = columns.map(([key, text]) => h("th", { scope: "col", class: key === "syscall" ? "" : "n" }, h("button", { type: "button", click: () => {
    up = by === key ? !up : key === "syscall";
    by = key;
    draw();
  } }, text)));
  const most = Math.max(1, ...rows.map((r) => r.time));
  const draw = (): void => {
    rows.sort((a, b) => {
      const d = by === "syscall" ? (a.syscall < b.syscall ? -1 : 1) : a[by] - b[by];
      return up ? d : -d;
    });
    heads.forEach((th, i) => {
      if (columns[i][0] === by) th.setAttribute("aria-sort", up ? "ascending" : "descending");
      else th.removeAttribute("aria-sort");
    });
    fill(body, ...rows.map((r) => {
      const bar = h("i", { class: "bar" });
      bar.style.width = `${(100 * r.time) / most}%`;
      return h("tr", {},
        h("th", { scope: "row" }, h("button", { type: "button", class: "plain", title: "Show those that are kept", click: () => only({ name: r.syscall }) }, mono(r.syscall))),
        h("td", { class: "n" }, number(r.count)),
        h("td", { class: r.failed > 0 ? "n bad" : "n" }, r.failed > 0 ? number(r.failed) : ""),
        h("td", { class: "n time" }, bar, duration(r.time)),
        h("td", { class: "n" }, duration(Math.round(r.mean))));
    }));
  };
  draw();
  const sum = rows.reduce((n, r) => n + r.count, 0);
  return h("section", { class: "card totals" }, h("h2", {}, "All calls"),
    h("p", { class: "hint" }, `${number(sum)} calls since the container was created, kept or not. Time is that of all threads together, waiting included.`),
    h("table", {}, h("thead", {}, h("tr", {}, ...heads)), body));
}

function fillErrors(state: State, card: HTMLElement, only: (by: { error: string }) => void): void {
  const { calls } = state;
  const found = new Map<string, { count: number; names: Map<string, number> }>();
  for (let i = 0; i < calls.count; i++) {
    if (calls.errno[i] < 0 || !state.shows(i)) continue;
    const errno = calls.errnos[calls.errno[i]];
    let e = found.get(errno);
    if (!e) found.set(errno, (e = { count: 0, names: new Map() }));
    e.count++;
    const name = calls.names[calls.name[i]];
    e.names.set(name, (e.names.get(name) ?? 0) + 1);
  }
  const rows = [...found].sort((a, b) => b[1].count - a[1].count).map(([errno, e]) => {
    const names = [...e.names].sort((a, b) => b[1] - a[1]).slice(0, 4).map(([name, n]) => `${name} ${number(n)}`).join(", ");
    return h("tr", {},
      h("th", { scope: "row", class: "bad" }, h("button", { type: "button", class: "plain", click: () => only({ error: errno }) }, errno)),
      h("td", { class: "n" }, number(e.count)), h("td", {}, names));
  });
  fill(card, h("h2", {}, "Errors"), rows.length === 0 ? h("p", { class: "empty" }, "No call failed.") : h("table", {}, h("tbody", {}, ...rows)),
    rows.length > 0 ? h("p", { class: "hint" }, "Of the calls that are kept.") : null);
}

function fillSlow(state: State, card: HTMLElement): void {
  const { calls } = state;
  const slowest: number[] = [];
  const most = 10;
  for (let i = 0; i < calls.count; i++) {
    if (calls.flags[i] & (EVENT | IN_FLIGHT | UNFINISHED) || !state.shows(i)) continue;
    if (slowest.length === most && calls.duration[i] <= calls.duration[slowest[most - 1]]) continue;
    slowest.push(i);
    slowest.sort((a, b) => calls.duration[b] - calls.duration[a]);
    slowest.length = Math.min(slowest.length, most);
  }
  const rows = slowest.map((i) => h("li", {}, h("button", { type: "button", class: `call${calls.flags[i] & FAILED ? " failed" : ""}`, click: () => {
    state.select(i);
    state.open("calls");
  } }, h("span", { class: "when" }, duration(calls.duration[i])), h("span", { class: "who" }, elapsed(calls.start[i], 3)), mono(calls.text[i].slice(0, 200)))));
  fill(card, h("h2", {}, "Slowest"), h("ul", { class: "evidence" }, ...rows));
}
