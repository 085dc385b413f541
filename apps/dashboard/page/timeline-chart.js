// SPDX-License-Identifier: MIT OR Apache-2.0
// Draws the timeline: stacked mean scores over time, above a time axis.

import { chooseStep, fillColumn, preparePen, styleColors } from "./chart.js";
import { expressionOf } from "./expressions.js";
import { formatTime } from "./format.js";

/** Distances between the marks of the time axis, in seconds. */
const TICK_STEPS = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200];
/** Space for one mark and its text, in CSS pixels. */
const TICK_WIDTH = 90;

/**
 * Draws the points of `data` from the second `from` to `until`. `pointer` is the mouse's position as a share of the
 * width, or null.
 */
export function drawTimeline(canvas, data, { from, until, pointer }) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  const pen = preparePen(canvas, width, height);
  const chart = {
    pen, width, height, from, until,
    /** The y of the axis: one line of text above the bottom. */
    axis: height - 1.15 * parseFloat(getComputedStyle(document.documentElement).fontSize),
    x: (second) => (second - from) / (until - from) * width,
    color: styleColors(),
  };
  drawScores(chart, data);
  drawAxis(chart);
  if (pointer !== null) {
    pen.fillStyle = chart.color("ink");
    pen.fillRect(pointer * width, 0, 1, chart.axis);
  }
}

function drawScores({ pen, width, axis, x, color }, { labels, points, step }) {
  const colors = labels.map((label) => color(expressionOf(label)));
  for (const [second, , scores] of points) {
    const [left, right] = [x(second), x(second + step)];
    if (!scores || right < 0 || left > width) continue;
    fillColumn(pen, { left, right, bottom: axis }, scores.map((score) => score * axis), colors);
  }
}

function drawAxis({ pen, width, height, axis, from, until, x, color }) {
  pen.fillStyle = pen.strokeStyle = color("dim");
  pen.font = `${height - axis - 4}px system-ui, sans-serif`;
  pen.textBaseline = "bottom";
  const step = chooseStep(TICK_STEPS, until - from, Math.max(2, width / TICK_WIDTH));
  // Marks are at round local times.
  const zone = new Date(until * 1000).getTimezoneOffset() * 60;
  for (let second = Math.ceil((from - zone) / step) * step + zone; second < until; second += step) {
    const text = formatTime(second, { withSeconds: step < 60 });
    const left = x(second);
    pen.globalAlpha = .35;
    pen.fillRect(left, axis, 1, 4);
    pen.globalAlpha = 1;
    if (left > 2 && left + pen.measureText(text).width + 4 < width) pen.fillText(text, left + 3, height - 1);
  }
}
