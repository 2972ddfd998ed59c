// SPDX-License-Identifier: Apache-2.0

import type { Process } from "./data";

export interface Place {
  index: number;
  depth: number;
  children: number;
  last: boolean; // of its siblings
}

// order returns processes as a tree: each one before its children, which are in the order of their beginnings. open
// tells whether the children of a process are wanted.
export function order(processes: Process[], open: (index: number) => boolean): Place[] {
  const children = new Map<number, number[]>();
  processes.forEach((p, i) => {
    const all = children.get(p.parent);
    if (all) all.push(i);
    else children.set(p.parent, [i]);
  });
  const places: Place[] = [];
  const stack: Place[] = [];
  const push = (parent: number, depth: number): void => {
    const all = children.get(parent) ?? [];
    for (let n = all.length - 1; n >= 0; n--) stack.push({ index: all[n], depth, children: children.get(all[n])?.length ?? 0, last: n === all.length - 1 });
  };
  push(-1, 0);
  for (let place = stack.pop(); place; place = stack.pop()) {
    places.push(place);
    if (open(place.index)) push(place.index, place.depth + 1);
  }
  return places;
}
