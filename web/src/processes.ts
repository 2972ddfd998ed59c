// SPDX-License-Identifier: Apache-2.0

import { h, mono } from "./dom";
import { duration, elapsed, fate, id } from "./format";
import { List } from "./list";
import type { State } from "./state";
import { order, Place } from "./tree";

// processes makes the tree of processes. only shows the calls of one.
export function processes(state: State, only: (process: number) => void): HTMLElement {
  const { head } = state;
  const closed = new Set<number>();
  const hasRuntime = head.processes.some((p) => p.runtime);
  let places: Place[] = [];
  const end = Math.max(head.at, ...head.processes.slice(0, 10000).map((p) => p.ended ?? 0), 1);
  const toggle = (i: number, open: boolean): void => {
    if (open) closed.delete(places[i].index);
    else closed.add(places[i].index);
    arrange(i);
  };
  const list = new List({
    label: "Processes", role: "treegrid", height: 32,
    row: (row, i) => fillRow(row, places[i]),
    activated: (i) => only(places[i].index),
    key: (e, i) => {
      const { index, children } = places[i];
      if (e.key === "ArrowLeft" && children > 0 && !closed.has(index)) toggle(i, false);
      else if (e.key === "ArrowRight" && children > 0 && closed.has(index)) toggle(i, true);
      else return e.key === "ArrowLeft" || e.key === "ArrowRight";
      return true;
    },
  });
  const arrange = (active = -1): void => {
    places = order(head.processes, (i) => !closed.has(i)).filter((p) => state.runtime || !head.processes[p.index].runtime);
    list.show(places.length, active);
  };
  const fillRow = (row: HTMLElement, place: Place): void => {
    const p = head.processes[place.index];
    const open = !closed.has(place.index);
    row.setAttribute("aria-level", String(place.depth + 1));
    if (place.children > 0) row.setAttribute("aria-expanded", String(open));
    row.classList.toggle("failed", p.ended !== null && (p.code !== 0 || !!p.signal));
    row.classList.toggle("culprit", place.index === head.culprit && head.exited && !head.expected);
    const exec = p.execs[p.execs.length - 1];
    const command = exec ? [exec.path, ...exec.args.slice(1)].join(" ") : "";
    const bar = h("i", { class: "bar" });
    bar.style.left = `${(100 * Math.max(0, p.began)) / end}%`;
    bar.style.width = `${Math.max(0.4, (100 * ((p.ended ?? head.at) - Math.max(0, p.began))) / end)}%`;
    const twist = h("button", { type: "button", class: "twist", tabindex: -1, "aria-hidden": "true", click: (e: Event) => {
      e.stopPropagation();
      toggle(places.indexOf(place), !open);
    } }, place.children > 0 ? (open ? "▾" : "▸") : "");
    const name = h("span", { class: "name", role: "gridcell" }, twist, h("b", {}, p.comm), h("span", { class: "id" }, id(p)),
      exec ? mono(command) : null);
    name.style.paddingInlineStart = `${Math.min(place.depth, 20) * 18}px`;
    row.append(name,
      h("span", { class: "life", role: "gridcell", "aria-label": `from ${elapsed(p.began, 3)}` }, bar),
      h("span", { class: "took", role: "gridcell" }, duration((p.ended ?? head.at) - p.began)),
      h("span", { class: "fate", role: "gridcell" }, p.ended === null ? (head.exited ? "end not kept" : "runs") : fate(p)));
    row.title = `${command || p.comm}\nprocess ${p.inner || "?"} in the container, ${p.pid} on the host\nfrom ${elapsed(p.began)}${p.ended === null ? "" : ` to ${elapsed(p.ended)}`}`;
  };
  state.on("runtime", () => arrange());
  arrange();
  const columns = h("div", { class: "columns", "aria-hidden": "true" }, ...["Process", "Life", "Took", "End"].map((c) => h("span", {}, c)));
  return h("div", { class: "processes" },
    h("p", { class: "hint" }, `Enter or a double click shows the calls of a process.${hasRuntime && !state.runtime ? " Processes of the container runtime are hidden." : ""}`),
    h("div", { class: "table" }, columns, list.element));
}
