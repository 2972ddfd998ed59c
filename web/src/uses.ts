// SPDX-License-Identifier: Apache-2.0

import type { Use } from "./data";
import { h, mono } from "./dom";
import { duration, elapsed, named, number } from "./format";
import { List } from "./list";
import type { State } from "./state";

// files makes the view of what was done with files. only shows the calls with a text.
export function files(state: State, only: (text: string) => void): HTMLElement {
  return uses(state, only, state.head.files, {
    noun: "files", what: "File", read: "Read", written: "Written", none: "No call that is kept names or uses a file.",
  });
}

// network makes the view of what was done with addresses, and of the DNS questions.
export function network(state: State, only: (text: string) => void): HTMLElement {
  const { net, questions } = state.head;
  const view = uses(state, (address) => only(naming(address)), net, {
    noun: "addresses", what: "Address", read: "Received", written: "Sent", none: "No call that is kept uses a socket.",
  });
  if (questions.length === 0) return view;
  const list = new List({
    label: "DNS questions", role: "grid", height: 22,
    row: (row, i) => {
      row.title = questions[i];
      row.append(h("span", { role: "gridcell" }, mono(questions[i])));
    },
  });
  list.show(questions.length);
  view.append(h("h2", { class: "beneath" }, "DNS questions"), h("div", { class: "table questions" }, list.element));
  return view;
}

// naming returns what finds the calls that name an address, or take a socket of it.
function naming(address: string): string {
  const at = /^(.*):(\d+)$/.exec(address);
  if (!at) return address.replace(/^@/, "");
  const quote = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return `/${quote(address)}|htons\\(${at[2]}\\).*"${quote(at[1].replace(/^\[|\]$/g, ""))}"/`;
}

interface Words {
  noun: string;
  what: string;
  read: string;
  written: string;
  none: string;
}

const orders: Record<string, (a: Use, b: Use) => number> = {
  bytes: (a, b) => b.read + b.written - a.read - a.written || b.calls - b.failed - a.calls + a.failed,
  time: (a, b) => b.time - a.time,
  calls: (a, b) => b.calls - a.calls,
  failed: (a, b) => b.failed - a.failed,
  last: (a, b) => b.last - a.last,
  name: () => 0,
};

// uses makes a table of uses, to search and to sort.
function uses(state: State, only: (text: string) => void, all: Use[], words: Words): HTMLElement {
  if (all.length === 0) return h("div", { class: "uses" }, h("p", { class: "empty" }, words.none));
  const { head } = state;
  const text = h("input", { type: "search", placeholder: "Search", "aria-label": `Search ${words.noun}`, autocomplete: "off", spellcheck: "false", input: () => arrange() });
  const which = h("select", { "aria-label": "Result", change: () => arrange() },
    h("option", { value: "" }, "all results"), h("option", { value: "failed" }, "failed"));
  const order = h("select", { "aria-label": "Order", change: () => arrange() },
    ...[["bytes", "most bytes first"], ["time", "longest first"], ["calls", "most calls first"], ["failed", "most failures first"], ["last", "latest first"], ["name", "by name"]]
      .map(([value, title]) => h("option", { value }, title)));
  const found = h("output", { class: "found", "aria-live": "polite" });
  let shown: Use[] = [];
  const list = new List({
    label: words.what, role: "grid", height: 28,
    row: (row, i) => fillRow(row, shown[i]),
    activated: (i) => {
      if (shown[i].what !== "") only(shown[i].what);
    },
  });
  const fillRow = (row: HTMLElement, use: Use): void => {
    const cell = (kind: string, ...children: (Node | string)[]): HTMLElement => h("span", { class: kind, role: "gridcell" }, ...children);
    const by = use.by.map((i) => named(head.processes[i]));
    row.classList.toggle("failed", use.failed > 0 && use.failed >= use.calls);
    row.title = `${use.kind} ${use.shown}\n${use.did}\n${number(use.calls)} calls, last at ${elapsed(use.last)}\n${by.slice(0, 20).join(" ")}`.trim();
    row.append(
      cell("what", use.kind === "" ? "" : h("span", { class: "kind" }, use.kind), mono(use.shown)),
      cell("did", use.did),
      cell("n", use.read > 0 ? number(use.read) : ""),
      cell("n", use.written > 0 ? number(use.written) : ""),
      cell("n took", duration(use.time)),
      cell("by", by.slice(0, 2).join(" "), by.length > 2 ? ` +${by.length - 2}` : ""));
  };
  const arrange = (): void => {
    const wanted = text.value.toLowerCase();
    shown = all.filter((u) => (which.value === "" || u.failed > 0) &&
      (u.shown.toLowerCase().includes(wanted) || u.did.toLowerCase().includes(wanted) || u.kind.toLowerCase().includes(wanted)));
    shown.sort((a, b) => orders[order.value](a, b) || (a.shown < b.shown ? -1 : a.shown > b.shown ? 1 : 0));
    found.textContent = `${number(shown.length)} of ${number(all.length)} ${words.noun}`;
    list.show(shown.length);
  };
  arrange();
  const columns = h("div", { class: "columns", "aria-hidden": "true" },
    ...[words.what, "Did", words.read, words.written, "Time", "By"].map((c) => h("span", {}, c)));
  const hint = head.kept.overwritten > 0
    ? "Enter or a double click shows the calls. Of calls that were overwritten, only new ones are left: bytes and times are those of the calls that are kept."
    : "Enter or a double click shows the calls.";
  return h("div", { class: "uses" }, h("div", { class: "filters", role: "search" }, text, which, order, found),
    h("p", { class: "hint" }, hint), h("div", { class: "table" }, columns, list.element));
}
