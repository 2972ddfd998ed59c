// SPDX-License-Identifier: Apache-2.0

// Elements are made of nodes and text only: nothing parses HTML.

export type Child = Node | string | number | null | undefined | false;
type Props = Record<string, string | number | boolean | null | undefined | ((e: any) => void)>;

// h makes an element. Functions are listeners, all other properties attributes.
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, String(value));
  }
  put(element, children);
  return element;
}

// put appends children.
export function put(element: Element, children: Child[]): void {
  for (const child of children) {
    if (child instanceof Node) element.appendChild(child);
    else if (child !== null && child !== undefined && child !== false) element.appendChild(document.createTextNode(String(child)));
  }
}

// fill replaces what an element holds.
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  put(element, children);
}

// mono is text in a font of fixed width.
export function mono(text: string, kind = ""): HTMLElement {
  return h("code", { class: kind || null, translate: "no", dir: "ltr" }, text);
}

// later returns a function that runs another one at most once for each frame.
export function later(f: () => void): () => void {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      f();
    });
  };
}
