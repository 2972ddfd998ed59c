// SPDX-License-Identifier: Apache-2.0

// What is drawn on a canvas has the colors of the style sheet, and the pixels of the screen.

let known: Record<string, string> = {};

// color returns a color of the style sheet by its name there.
export function color(name: string): string {
  return (known[name] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
}

// forget is called when the colors change.
export function forget(): void {
  known = {};
}

// surface gives a canvas a size in pixels of the page, or returns null if it has none.
export function surface(canvas: HTMLCanvasElement, width: number, height: number): { context: CanvasRenderingContext2D; width: number } | null {
  const context = canvas.getContext("2d");
  if (!context || width <= 0 || height <= 0) return null;
  const scale = Math.max(1, window.devicePixelRatio || 1);
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width };
}
