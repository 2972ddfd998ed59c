// SPDX-License-Identifier: Apache-2.0

import { EVENT, FAILED, IN_FLIGHT, SPARSE } from "./data";
import { fill, h, mono } from "./dom";
import { clock, duration, elapsed, named, number } from "./format";
import type { State } from "./state";

// detail makes the panel with all that is known of the selected call.
export function detail(state: State, view: () => string): HTMLElement {
  const panel = h("aside", { id: "detail", class: "detail", tabindex: -1, "aria-label": "Selected call", hidden: true });
  const close = (): void => {
    state.select(-1);
    document.querySelector<HTMLElement>("[role=tabpanel]:not([hidden]) [tabindex='0']")?.focus();
  };
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && !panel.hidden && !(e.target as Element).closest("input, select")) close();
  });
  const draw = (): void => {
    const i = state.selected;
    panel.hidden = i < 0;
    if (i < 0) return;
    const { calls, head } = state;
    const flags = calls.flags[i];
    const thread = calls.threads[calls.thread[i]];
    const process = head.processes[thread.process];
    const repeat = calls.repeats.get(i);
    const facts: [string, string][] = [
      ["Time", `${elapsed(calls.start[i], 9)} (${clock(head.created, calls.start[i])})`],
      ["Took", flags & IN_FLIGHT ? "has not returned" : flags & EVENT ? "" : duration(calls.duration[i])],
      ["Process", process ? `${named(process)}, ${process.pid} on the host` : ""],
      ["Thread", `${calls.comms[calls.comm[i]]}, ${thread.inner || "?"} in the container, ${thread.tid} on the host`],
      ["CPU", String(calls.cpu[i])],
      ["Came", repeat ? `${number(repeat.count)} times in all, last at ${elapsed(repeat.last)}` : ""],
      ["Kept", flags & SPARSE ? "calls between this one and the next may not be kept" : ""],
    ];
    const other = view() === "timeline" ? "calls" : "timeline";
    const go = h("button", { type: "button", click: () => {
      const [from, to] = state.range;
      if (other === "timeline" && (calls.start[i] < from || calls.start[i] > to || state.whole)) {
        const half = Math.max(20 * calls.duration[i], 1e6);
        state.look(calls.start[i] - half, calls.end(i) + half);
      }
      state.open(other);
    } }, other === "calls" ? "Show in the table" : "Show in the timeline");
    fill(panel,
      h("div", { class: "detail-head" }, go, h("button", { type: "button", class: "plain close", "aria-label": "Close (Escape)", click: close }, "×")),
      h("p", { class: flags & FAILED ? "text failed" : "text", "aria-live": "polite" }, mono(calls.text[i])),
      h("dl", {}, ...facts.filter(([, v]) => v !== "").map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, v)))));
  };
  state.on("selected", draw);
  return panel;
}
