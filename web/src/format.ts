// SPDX-License-Identifier: Apache-2.0

// Numbers, times and durations as people read them.

import type { Process } from "./data";

const grouped = new Intl.NumberFormat("en-US");

export function number(n: number): string {
  return grouped.format(n);
}

export function count(n: number, noun: string, plural = "s"): string {
  return `${number(n)} ${noun}${n === 1 ? "" : plural}`;
}

// elapsed formats a time since the container's creation: 1:02.345678.
export function elapsed(ns: number, digits = 6): string {
  const sign = ns < 0 ? "-" : "";
  const unit = 10 ** digits;
  const total = Math.floor((Math.abs(ns) / 1e9) * unit);
  const seconds = Math.floor(total / unit);
  const fraction = digits > 0 ? "." + String(total % unit).padStart(digits, "0") : "";
  const s = String(seconds % 60).padStart(2, "0") + fraction;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${sign}${minutes}:${s}`;
  return `${sign}${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${s}`;
}

// duration formats a span with three significant digits: 1.23 ms.
export function duration(ns: number): string {
  for (const [unit, name] of [[1, "ns"], [1e3, "µs"], [1e6, "ms"]] as const) {
    if (ns < 999.5 * unit) return `${digits(ns / unit)} ${name}`;
  }
  if (ns < 60e9) return `${digits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  if (d > 0) return `${d}d${h}h`;
  return h > 0 ? `${h}h${m}m` : `${m}m${s}s`;
}

function digits(n: number): string {
  if (Number.isInteger(n) || n >= 100) return n.toFixed(0);
  return n.toFixed(n >= 10 ? 1 : 2);
}

// clock formats a moment of the wall clock, in local time.
export function clock(created: string, ns: number, date = true): string {
  const at = new Date(Date.parse(created) + ns / 1e6);
  const two = (n: number): string => String(n).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return date ? `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}` : time;
}

// id names a process by its ID in the container, or on the host if that is not known.
export function id(p: Process): string {
  return p.inner ? String(p.inner) : `host ${p.pid}`;
}

export function named(p: Process | undefined): string {
  return p ? `${p.comm}[${id(p)}]` : "?";
}

// fate tells how a process ended.
export function fate(p: Process): string {
  if (p.ended === null) return "";
  if (p.signal) return p.oom ? `${p.signal}, out of memory` : p.signal;
  return `exit ${p.code}`;
}
