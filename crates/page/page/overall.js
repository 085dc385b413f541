// SPDX-License-Identifier: MIT OR Apache-2.0
// The chart of all faces over time, by label.

import { element } from "./elements.js";
import { plotCanvas } from "./plot.js";
import { clock } from "./text.js";

const HEIGHT = 180; // pixels
const MAX_LEVELS = 5; // of which each has a number

/** The number of faces with each label over time, from a stack of numbers. */
export function overallChart(stack, classes, axis, label) {
  const top = Math.max(1, Math.ceil(Math.floor(stack.highest() * 100) / 100));
  const canvas = plotCanvas({
    height: HEIGHT,
    label,
    draw: (pen, width) => stack.draw(pen, { width, height: HEIGHT, top, classes }),
    describe: (x, y) => describe(stack, axis, x, (1 - y / HEIGHT) * top),
  });
  const plot = element("div", { class: "plot tall" }, levels(top), canvas);
  return [plot, axis.ticks()];
}

function describe(stack, axis, x, y) {
  const found = stack.at(x, y);
  if (!found) return "";
  const width = axis.length / stack.count;
  const start = axis.start + found.column * width;
  return `${clock(start)} – ${clock(start + width)}: ${found.label}, ${found.value.toFixed(1)} faces`;
}

function levels(top) {
  const numbers = top <= MAX_LEVELS ? Array.from({ length: top + 1 }, (_, level) => level) : [0, Math.floor(top / 2), top];
  const marks = numbers.map((level) => {
    const mark = element("span", {}, String(level));
    mark.style.bottom = `${100 * level / top}%`;
    return mark;
  });
  return element("div", { class: "levels", "aria-hidden": "true" }, ...marks);
}
