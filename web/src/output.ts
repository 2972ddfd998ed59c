// SPDX-License-Identifier: Apache-2.0

import { h, mono } from "./dom";
import { elapsed, named, number } from "./format";
import { List } from "./list";
import type { State } from "./state";

interface Line {
  at: number;
  process: number;
  fd: number;
  text: string;
  cut: boolean;
}

// output makes the view of what the container wrote to its standard output and error.
export function output(state: State): HTMLElement {
  const { head } = state;
  const all: Line[] = [];
  const open = new Map<string, Line>(); // lines that go on
  for (const s of head.said) {
    const key = `${s.process} ${s.fd}`;
    const parts = s.text.split("\n");
    parts.forEach((part, i) => {
      const before = i === 0 ? open.get(key) : undefined;
      if (before) before.text += part;
      else if (part !== "" || i < parts.length - 1) {
        const line = { at: s.at, process: s.process, fd: s.fd, text: part, cut: false };
        all.push(line);
        open.set(key, line);
      }
      if (i < parts.length - 1) open.delete(key);
    });
    const rest = open.get(key);
    if (s.cut && rest) {
      rest.cut = true;
      open.delete(key);
    } else if (s.cut && all.length > 0) all[all.length - 1].cut = true;
  }
  let lines = all;
  const stream = h("select", { "aria-label": "Stream", change: () => filter() },
    h("option", { value: "" }, "stdout and stderr"), h("option", { value: "1" }, "stdout"), h("option", { value: "2" }, "stderr"));
  const text = h("input", { type: "search", placeholder: "Search", "aria-label": "Search output", autocomplete: "off", spellcheck: "false", input: () => filter() });
  const found = h("output", { class: "found", "aria-live": "polite" });
  const list = new List({
    label: "Output", role: "grid", height: 22,
    row: (row, i) => {
      const line = lines[i];
      row.classList.add(line.fd === 2 ? "stderr" : "stdout");
      row.title = named(head.processes[line.process]);
      row.append(h("span", { class: "time", role: "gridcell" }, elapsed(line.at)),
        h("span", { class: "stream", role: "gridcell" }, line.fd === 2 ? "stderr" : "stdout"),
        h("span", { class: "text", role: "gridcell" }, mono(line.text + (line.cut ? " …" : ""))));
    },
  });
  const filter = (): void => {
    const wanted = text.value.toLowerCase();
    lines = all.filter((l) => (stream.value === "" || String(l.fd) === stream.value) && l.text.toLowerCase().includes(wanted));
    found.textContent = `${number(lines.length)} of ${number(all.length)} lines`;
    list.show(lines.length);
  };
  filter();
  if (all.length === 0) return h("div", { class: "output" }, h("p", { class: "empty" }, "No output is kept."));
  const cut = all.some((l) => l.cut) ? h("p", { class: "hint" }, "… marks a line of which only the beginning is kept.") : null;
  return h("div", { class: "output" }, h("div", { class: "filters", role: "search" }, text, stream, found), cut, h("div", { class: "table" }, list.element));
}
