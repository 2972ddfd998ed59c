// SPDX-License-Identifier: Apache-2.0

// The page of a report: header, tabs with a view each, and the panel of the selected call.

import { CallsView } from "./calls";
import { Head, read, VERSION } from "./data";
import { detail } from "./detail";
import { fill, h } from "./dom";
import { clock, count, duration } from "./format";
import { output } from "./output";
import { forget } from "./paint";
import { processes } from "./processes";
import { State } from "./state";
import { summary } from "./summary";
import { Timeline } from "./timeline";
import { files, network } from "./uses";
import { why } from "./why";

interface View {
  name: string;
  title: string;
  element: HTMLElement;
}

function start(): void {
  theme();
  const data = document.getElementById("data");
  let state: State | undefined;
  const fail = (error: unknown): void => {
    document.body.append(h("p", { class: "broken", role: "alert" }, `The data of this report cannot be read: ${error instanceof Error ? error.message : String(error)}`));
  };
  let soon = 0;
  read(data?.textContent ?? "", (head) => {
    if (head.version !== VERSION) throw new Error(`they have version ${head.version}`);
    state = new State(head);
    build(state);
  }, (chunk) => {
    state?.calls.add(chunk);
    window.clearTimeout(soon);
    soon = window.setTimeout(() => state && !state.loaded && refresh(state), 200);
  }).then(() => {
    window.clearTimeout(soon);
    data?.remove(); // its memory can be used again
    if (!state) throw new Error("there are none");
    state.loaded = true;
    refresh(state);
    document.documentElement.dataset.loaded = String(state.calls.count);
  }).catch(fail);
}

function refresh(state: State): void {
  state.measure();
  state.tell("calls");
}

function build(state: State): void {
  const { head } = state;
  document.title = `${head.name}: ${how(head)}`;
  const calls = new CallsView(state);
  let current = "";
  const only = (by: Parameters<CallsView["only"]>[0]): void => {
    calls.only(by);
    open("calls");
  };
  const views: View[] = [
    { name: "why", title: "Why", element: why(state) },
    { name: "timeline", title: "Timeline", element: new Timeline(state).element },
    { name: "calls", title: "Calls", element: calls.element },
    { name: "processes", title: "Processes", element: processes(state, (process) => only({ process })) },
    { name: "files", title: "Files", element: files(state, (text) => only({ text })) },
    { name: "network", title: "Network", element: network(state, (text) => only({ text })) },
    { name: "output", title: "Output", element: output(state) },
    { name: "summary", title: "Summary", element: summary(state, only) },
  ];
  const panels = views.map((v) => h("div", { id: `view-${v.name}`, class: "view", role: "tabpanel", "aria-labelledby": `tab-${v.name}`, hidden: true }, v.element));
  const tabs = views.map((v) => h("button", { id: `tab-${v.name}`, type: "button", role: "tab", "aria-controls": `view-${v.name}`, click: () => open(v.name) }, v.title));
  const open = (name: string): void => {
    const at = Math.max(0, views.findIndex((v) => v.name === name));
    current = views[at].name;
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === at));
      tab.tabIndex = i === at ? 0 : -1;
      panels[i].hidden = i !== at;
    });
    if (location.hash.slice(1) !== current) history.replaceState(null, "", `#${current}`);
    const selected = state.selected;
    state.tell("selected");
    if (selected >= 0 && current === "calls") calls.element.querySelector<HTMLElement>(".list")?.focus({ preventScroll: true });
  };
  state.open = open;
  const bar = h("div", { class: "tabs", role: "tablist", "aria-label": "Views", keydown: (e: KeyboardEvent) => {
    const at = views.findIndex((v) => v.name === current);
    const to: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: views.length - 1 };
    if (!(e.key in to)) return;
    e.preventDefault();
    const next = (to[e.key] + views.length) % views.length;
    open(views[next].name);
    tabs[next].focus();
  } }, ...tabs);
  fill(document.body, header(state), h("nav", {}, bar, runtime(state)), h("main", {}, ...panels), detail(state, () => current));
  window.addEventListener("hashchange", () => open(location.hash.slice(1)));
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || (e.target as Element).closest("input, select, textarea")) return;
    if (e.key === "/") {
      open("calls");
      calls.focusSearch();
    } else if (/^[1-9]$/.test(e.key) && Number(e.key) <= views.length) {
      open(views[Number(e.key) - 1].name);
      tabs[Number(e.key) - 1].focus();
    } else return;
    e.preventDefault();
  });
  document.addEventListener("themechange", () => state.tell("theme"));
  open(location.hash.slice(1));
}

// how says how the container ended.
function how(head: Head): string {
  if (!head.exited) return head.started ? "runs" : "not started";
  if (head.signal) return `killed by ${head.signal}`;
  return head.code === null ? "ended" : `exited with code ${head.code}`;
}

function header(state: State): HTMLElement {
  const { head } = state;
  const bad = head.exited && !head.expected;
  const ran = head.started ? `ran ${duration(head.ran)}` : "its program was never started";
  const at = `${head.exited ? "ended" : "seen"} ${clock(head.created, head.at)}`;
  const facts = [head.image, /^[0-9a-f]{32,}$/.test(head.id) ? head.id.slice(0, 12) : head.id, head.engine].filter((f) => f !== "");
  return h("header", {},
    h("div", { class: "who" },
      h("h1", {}, head.name),
      h("p", {}, ...facts.map((f) => h("span", {}, f)))),
    h("div", { class: "how" },
      h("span", { class: `state ${bad ? "bad" : head.exited ? "good" : "runs"}` }, how(head)),
      h("p", {}, h("span", {}, ran), h("span", {}, at), h("span", {}, count(head.processes.filter((p) => !p.runtime).length, "process", "es")))),
    h("button", { type: "button", class: "plain theme", id: "theme", "aria-label": "Light or dark", title: "Light or dark", click: turn }, "◐"));
}

// runtime makes the switch for calls of the container runtime.
function runtime(state: State): HTMLElement {
  const box = h("input", { type: "checkbox", id: "runtime", change: () => {
    state.runtime = box.checked;
    state.measure();
    state.tell("runtime");
  } });
  return h("label", { class: "switch", title: "Also the calls that the container runtime made to start it" }, box, "runtime's calls");
}

const themes = "runc-trace-report-theme";

function theme(): void {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(themes);
  } catch {
    // A page from a file may have no storage.
  }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

function turn(): void {
  const root = document.documentElement;
  const dark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem(themes, root.dataset.theme);
  } catch {
    // It lasts as long as the page, then.
  }
  changed();
}

function changed(): void {
  forget();
  document.dispatchEvent(new Event("themechange"));
}

start();
