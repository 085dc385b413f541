// SPDX-License-Identifier: MIT OR Apache-2.0
// The records of individual faces. `data` has a column for each value, sorted by face and time; `start` and `hold` say
// from when and for how long a row is shown, in nanoseconds.

import { secondClass } from "./certainty.js";

/** Scores are whole numbers of this unit; those of a row without scores are negative. */
const SCORE_UNIT = 1e-4;

/** The faces of `data`, in the order in which they appear. */
export function facesOf(data) {
  let from = 0;
  return data.faces.map(({ stream, id, rows, watched, blinks }) => {
    const face = new Face(data, { stream, id, from, to: from + rows, watched, blinks });
    from += rows;
    return face;
  });
}

/** The rows of one face. `watched` is the time in which a blink would have been seen. */
class Face {
  constructor(data, { stream, id, from, to, watched = 0, blinks = 0 }) {
    Object.assign(this, { data, stream, id, from, to, watched, blinks });
    this.start = data.start[from];
    this.end = data.start[to - 1] + data.hold[to - 1];
    this.visible = 0;
    for (let row = from; row < to; row += 1) this.visible += data.hold[row];
  }

  get lastStart() {
    return this.data.start[this.to - 1];
  }

  name(streams) {
    const name = this.id === null ? "Faces without an id" : `Face ${this.id}`;
    return streams < 2 ? name : `${name}, stream ${this.data.streams[this.stream]}`;
  }

  /** Calls `visit(row, start, hold)` for each row. */
  each(visit) {
    const { start, hold } = this.data;
    for (let row = this.from; row < this.to; row += 1) visit(row, start[row], hold[row]);
  }

  /** Pairs of label and time, the longest time first. They are summed once. */
  timeByLabel() {
    return this.times ??= timeBy([this], (row) => this.data.labels[this.data.label[row]]);
  }

  /** The sum of each score times its time, and the time with scores. They are summed once. */
  scoreSums() {
    if (!this.totals) {
      const sums = new Float64Array(this.data.classes.length);
      let scored = 0;
      this.each((row, _start, hold) => { if (addScores(this.data, row, sums, hold)) scored += hold; });
      this.totals = { sums, scored };
    }
    return this.totals;
  }

  /** The periods without a gap in which the label stays the same, with the mean scores of each. */
  segments() {
    const segments = [];
    this.each((row, start, hold) => {
      const label = this.data.labels[this.data.label[row]];
      let last = segments.at(-1);
      if (last?.label !== label || last.end < start) {
        segments.push(last = { start, label, sums: new Float64Array(this.data.classes.length), scored: 0 });
      }
      last.end = start + hold;
      if (addScores(this.data, row, last.sums, hold)) last.scored += hold;
    });
    return segments;
  }
}

/** Pairs of a value of the rows and the time that has it, the longest time first; rows for which it is undefined are left out. */
export function timeBy(faces, valueOf) {
  const times = new Map();
  for (const face of faces) {
    face.each((row, _start, hold) => {
      const value = valueOf(row);
      if (value !== undefined) times.set(value, (times.get(value) ?? 0) + hold);
    });
  }
  return [...times].sort(([, a], [, b]) => b - a);
}

/** Pairs of label and time of all `faces`, the longest time first. */
export function timeByLabel(faces) {
  const times = new Map();
  for (const face of faces) {
    for (const [label, time] of face.timeByLabel()) times.set(label, (times.get(label) ?? 0) + time);
  }
  return [...times].sort(([, a], [, b]) => b - a);
}

/** Adds the scores of a row to `sums`, times `weight`. Returns false if the row has no scores. */
export function addScores({ scores }, row, sums, weight) {
  if (!scores.length || scores[0][row] < 0) return false;
  scores.forEach((column, index) => { sums[index] += column[row] * SCORE_UNIT * weight; });
  return true;
}

/** The mean score of each class over the time in which faces are scored, as a map; empty if none is. */
export function meanScores(data, faces) {
  const sums = new Float64Array(data.classes.length);
  let scored = 0;
  for (const face of faces) {
    face.scoreSums().sums.forEach((sum, index) => { sums[index] += sum; });
    scored += face.scoreSums().scored;
  }
  return new Map(scored ? data.classes.map((name, index) => [name, sums[index] / scored]) : []);
}

/** The label, its score and the second class of a period with these sums of scores; the score is null without one. */
export function labelOf({ classes }, label, sums, scored) {
  const index = classes.indexOf(label);
  if (index < 0 || !scored) return { label, score: null, second: null };
  return { label, score: sums[index] / scored, second: secondClass(label, classes, sums) };
}
