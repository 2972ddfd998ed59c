// SPDX-License-Identifier: Apache-2.0

import { h, later } from "./dom";

interface Options {
  label: string;
  role: "grid" | "treegrid" | "listbox";
  height: number; // of a row, in pixels
  row: (element: HTMLElement, index: number) => void; // fills a row
  selected?: (index: number) => void;
  activated?: (index: number) => void;
  key?: (e: KeyboardEvent, index: number) => boolean; // reports whether it took the key
}

let lists = 0;

// List is a list of any number of rows, of which only those exist that can be seen.
export class List {
  readonly element: HTMLElement;
  active = -1;
  private readonly space = h("div", { class: "list-space", role: "presentation" });
  private readonly rows = new Map<number, HTMLElement>();
  private readonly name = `list${++lists}`;
  private count = 0;
  private readonly drawSoon = later(() => this.draw());

  constructor(private readonly options: Options) {
    this.element = h("div", { class: "list", tabindex: 0, role: options.role, "aria-label": options.label, scroll: this.drawSoon });
    this.element.append(this.space);
    this.element.addEventListener("keydown", (e) => this.key(e));
    this.space.addEventListener("click", (e) => this.click(e, false));
    this.space.addEventListener("dblclick", (e) => this.click(e, true));
    new ResizeObserver(this.drawSoon).observe(this.element);
  }

  // show sets the number of rows and draws them again.
  show(count: number, active = -1): void {
    this.count = count;
    this.active = active < count ? active : -1;
    this.element.setAttribute(this.options.role === "listbox" ? "data-rows" : "aria-rowcount", String(count));
    this.space.style.height = `${count * this.options.height}px`;
    this.redraw();
  }

  // redraw fills all rows again.
  redraw(): void {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.draw();
  }

  // activate makes a row the active one and scrolls to it.
  activate(index: number, center = false): void {
    if (index < 0 || index >= this.count) return;
    this.active = index;
    const { element } = this;
    const height = this.options.height;
    const top = index * height;
    if (center && (top < element.scrollTop || top + height > element.scrollTop + element.clientHeight)) {
      element.scrollTop = top - element.clientHeight / 2;
    } else if (top < element.scrollTop) element.scrollTop = top;
    else if (top + height > element.scrollTop + element.clientHeight) element.scrollTop = top + height - element.clientHeight;
    this.draw();
  }

  private draw(): void {
    const { height, role } = this.options;
    const { scrollTop, clientHeight } = this.element;
    if (clientHeight === 0) return;
    const first = Math.max(0, Math.floor(scrollTop / height) - 6);
    const last = Math.min(this.count, Math.ceil((scrollTop + clientHeight) / height) + 6);
    for (const [index, row] of this.rows) {
      if (index < first || index >= last) {
        row.remove();
        this.rows.delete(index);
      }
    }
    for (let index = first; index < last; index++) {
      let row = this.rows.get(index);
      if (!row) {
        row = h("div", { class: "row", id: `${this.name}-${index}`, role: role === "listbox" ? "option" : "row", "data-index": index });
        if (role === "listbox") {
          row.setAttribute("aria-posinset", String(index + 1));
          row.setAttribute("aria-setsize", String(this.count));
        } else row.setAttribute("aria-rowindex", String(index + 1));
        row.style.transform = `translateY(${index * height}px)`;
        row.style.height = `${height}px`;
        this.options.row(row, index);
        this.rows.set(index, row);
        this.space.append(row);
      }
      row.classList.toggle("active", index === this.active);
      row.setAttribute("aria-selected", String(index === this.active));
    }
    const active = this.rows.get(this.active);
    if (active) this.element.setAttribute("aria-activedescendant", active.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  private select(index: number): void {
    this.activate(Math.min(Math.max(index, 0), this.count - 1));
    if (this.active >= 0) this.options.selected?.(this.active);
  }

  private click(e: Event, twice: boolean): void {
    const row = (e.target as Element).closest<HTMLElement>(".row");
    if (!row) return;
    this.select(Number(row.dataset.index));
    if (twice) this.options.activated?.(this.active);
  }

  private key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target !== this.element) return;
    if (this.active >= 0 && this.options.key?.(e, this.active)) {
      e.preventDefault();
      return;
    }
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.options.height) - 1);
    const at = this.active;
    const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.count - 1 };
    if (e.key in to) this.select(to[e.key]);
    else if (e.key === "Enter" && at >= 0) this.options.activated?.(at);
    else return;
    e.preventDefault();
  }
}
