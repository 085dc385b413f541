// SPDX-License-Identifier: MIT OR Apache-2.0
// The range of time that all charts of a report show.

import { chooseStep } from "./chart.js";
import { element } from "./elements.js";
import { SECOND, clock } from "./text.js";

const MAX_COLUMNS = 240; // of a chart
const MAX_TICKS = 6; // intervals of the time axis
const TICK_SECONDS = [
  .1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400,
];

export class Axis {
  constructor({ start, end }) {
    this.start = start;
    this.end = Math.max(end, start + 1);
    this.length = this.end - this.start;
  }

  /** The position of a time, 0..1. */
  share(time) {
    return (time - this.start) / this.length;
  }

  /** The number of columns for records that are `step` apart. */
  columns(step) {
    return Math.max(1, Math.min(MAX_COLUMNS, Math.round(this.length / step)));
  }

  /** Calls `visit(column, covered)` for each of the columns that a period covers, with the covered time. */
  spread(columns, start, end, visit) {
    const width = this.length / columns;
    const last = Math.min(columns - 1, Math.floor((end - this.start) / width));
    for (let column = Math.max(0, Math.floor((start - this.start) / width)); column <= last; column += 1) {
      const left = this.start + column * width;
      const covered = Math.min(end, left + width) - Math.max(start, left);
      if (covered > 0) visit(column, covered);
    }
  }

  /** The marks below a chart. */
  ticks() {
    const seconds = chooseStep(TICK_SECONDS, this.length / SECOND, MAX_TICKS);
    const step = Math.round(seconds * SECOND);
    const marks = [];
    for (let time = Math.ceil(this.start / step) * step; time <= this.end; time += step) {
      const mark = element("span", {}, clock(time, seconds < 1 ? 1 : 0));
      mark.style.left = `${100 * this.share(time)}%`;
      marks.push(mark);
    }
    return element("div", { class: "axis", "aria-hidden": "true" }, ...marks);
  }
}
