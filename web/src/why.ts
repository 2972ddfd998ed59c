// SPDX-License-Identifier: Apache-2.0

import type { Cause, Evidence, Said } from "./data";
import { h, mono } from "./dom";
import { count, duration, elapsed, named } from "./format";
import type { State } from "./state";

const words = { certain: "Cause", likely: "Likely", possible: "Perhaps" };

// why makes the first view: how the container ended, and why.
export function why(state: State): HTMLElement {
  const { head } = state;
  const causes = head.causes.map((c, i) => cause(state, c, i));
  const view = h("div", { class: "why" });
  view.append(
    card("Why", causes.length > 0 ? h("ol", { class: "causes" }, ...causes) : h("p", { class: "empty" }, nothing(state))),
    card("Last said", head.lines.length > 0 ? h("ul", { class: "said" }, ...head.lines.map(line)) : h("p", { class: "empty" }, "It wrote nothing that is kept.")),
  );
  if (head.last.length > 0) {
    const rows = head.last.map((e) => h("li", {}, evidence(state, e)));
    view.append(card(head.exited ? "At the end" : "In flight", h("ul", { class: "evidence" }, ...rows)));
  }
  view.append(card("Kept", h("p", {}, kept(state))));
  return view;
}

function card(title: string, ...children: HTMLElement[]): HTMLElement {
  return h("section", { class: "card" }, h("h2", {}, title), ...children);
}

function nothing(state: State): string {
  if (!state.head.exited) return "It runs, and no cause of trouble was found.";
  return state.head.expected ? "It ended as it should." : "No cause was found in what is kept.";
}

function cause(state: State, c: Cause, index: number): HTMLElement {
  const word = index > 0 && c.certainty === "certain" ? "Also" : words[c.certainty];
  return h("li", { class: `cause ${c.certainty}` },
    h("span", { class: "badge" }, word),
    h("div", {},
      h("p", { class: "title" }, c.title),
      h("ul", { class: "evidence" }, ...c.evidence.map((e) => h("li", {}, evidence(state, e)))),
      h("p", { class: "because" }, `${c.certainty === "certain" ? "" : "A guess: "}${c.because} `, h("span", { class: "rule" }, `(rule ${c.rule})`)),
    ));
}

// evidence is a button that leads to the call.
export function evidence(state: State, e: Evidence): HTMLElement {
  const open = (): void => {
    const i = state.calls.find(e.tid, e.at);
    if (i < 0) return;
    state.select(i);
    state.open("calls");
  };
  return h("button", { class: `call${e.failed ? " failed" : ""}`, type: "button", title: "Show this call among the others", click: open },
    h("span", { class: "when" }, elapsed(e.at)),
    h("span", { class: "who" }, named(state.head.processes[e.process])),
    mono(e.text),
    e.note ? h("span", { class: "note" }, e.note) : null);
}

function line(s: Said): HTMLElement {
  return h("li", { class: s.fd === 2 ? "stderr" : "stdout" },
    h("span", { class: "stream" }, s.fd === 2 ? "stderr" : "stdout"), mono(s.text + (s.cut ? " …" : "")));
}

// kept says what the recording still has.
export function kept(state: State): string {
  const { kept, at } = state.head;
  const parts = [kept.complete === null ? "Every call is kept"
    : `Every call of the last ${duration(Math.max(0, at - kept.complete))} is kept; of the time before, what was new`];
  if (kept.overwritten > 0) parts.push(`${count(kept.overwritten, "call")} overwritten`);
  parts.push(kept.lost > 0 ? `${count(kept.lost, "call")} lost` : "nothing lost");
  if (kept.malformed > 0) parts.push(`${count(kept.malformed, "record")} could not be read`);
  if (kept.withheld) parts.push(kept.withheld);
  return `${parts.join("; ")}. This page has ${count(kept.calls, "call")}.`;
}
