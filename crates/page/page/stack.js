// SPDX-License-Identifier: MIT OR Apache-2.0
// Stacked columns of a chart: a value of each label for each column.

import { fillColumn } from "./chart.js";
import { fillsOf } from "./fills.js";

/** Values of `count` columns, one for each of `labels`, from the bottom to the top. */
export class Stack {
  constructor(labels, count) {
    this.labels = labels;
    this.count = count;
    this.values = new Float64Array(count * labels.length);
  }

  add(column, label, value) {
    this.values[column * this.labels.length + label] += value;
  }

  column(column) {
    return this.values.subarray(column * this.labels.length, (column + 1) * this.labels.length);
  }

  /** Divides the values of each column by its number in `divisors`. */
  divide(divisors) {
    this.values.forEach((value, index) => {
      if (value) this.values[index] = value / divisors[Math.floor(index / this.labels.length)];
    });
  }

  /** The highest sum of a column. */
  highest() {
    let highest = 0;
    for (let column = 0; column < this.count; column += 1) {
      highest = Math.max(highest, this.column(column).reduce((sum, value) => sum + value, 0));
    }
    return highest;
  }

  /** Draws the columns into `width` x `height` pixels; `top` is the value at full height. */
  draw(pen, { width, height, top, classes }) {
    const fills = fillsOf(pen, this.labels.map((label) => classes.get(label)));
    // At whole pixels of the screen, so that columns of one colour have no seam.
    const scale = devicePixelRatio || 1;
    const edge = (column) => Math.round(column / this.count * width * scale) / scale;
    for (let column = 0; column < this.count; column += 1) {
      const [left, right] = [edge(column), edge(column + 1)];
      const heights = Array.from(this.column(column), (value) => value / top * height);
      fillColumn(pen, { left, right, bottom: height }, heights, fills);
    }
  }

  /** The column, the label and the value at a position: x as a share of the width, y as a share of `top`; null without one. */
  at(x, y) {
    const column = Math.min(this.count - 1, Math.floor(x * this.count));
    let sum = 0;
    const label = this.column(column).findIndex((value) => (sum += value) > y);
    return label < 0 ? null : { column, label: this.labels[label], value: this.column(column)[label] };
  }
}
