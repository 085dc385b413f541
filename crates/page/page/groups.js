// SPDX-License-Identifier: MIT OR Apache-2.0
// Groups of faces, and their means with standard errors. Scores of one face resemble each other from frame to frame, so the
// error is computed over faces, each weighted by its time: the error of a ratio of sums over clusters.

import { UNKNOWN, UNSCORED } from "./fills.js";

/** Mean scores of a group: sums over faces, to which each face is added as a whole. */
export class Means {
  constructor(classes) {
    this.faces = 0;
    this.weight = 0; // time with scores
    this.squaredWeight = 0;
    this.sums = new Float64Array(classes);
    this.squares = new Float64Array(classes);
    this.products = new Float64Array(classes);
  }

  /** Adds a face that is scored for `weight`, with the sum of each score times its time. */
  add(sums, weight) {
    if (!(weight > 0)) return;
    this.faces += 1;
    this.weight += weight;
    this.squaredWeight += weight * weight;
    sums.forEach((sum, index) => {
      this.sums[index] += sum;
      this.squares[index] += sum * sum;
      this.products[index] += sum * weight;
    });
  }

  mean(index) {
    return this.weight ? this.sums[index] / this.weight : null;
  }

  /** The standard error of the mean over faces; null with fewer than two faces. */
  error(index) {
    if (this.faces < 2) return null;
    const mean = this.mean(index);
    const squares = this.squares[index] - 2 * mean * this.products[index] + mean * mean * this.squaredWeight;
    return Math.sqrt(this.faces / (this.faces - 1) * Math.max(0, squares)) / this.weight;
  }
}

/** The means of these faces. */
export function meansOf(data, faces) {
  const means = new Means(data.classes.length);
  for (const face of faces) means.add(face.scoreSums().sums, face.scoreSums().scored);
  return means;
}

/** The share of the time of `shares`, pairs of label and time, in which nothing is said. */
export function unansweredShare(shares) {
  const total = shares.reduce((sum, [, time]) => sum + time, 0);
  const silent = shares.filter(([label]) => label === UNKNOWN || label === UNSCORED).reduce((sum, [, time]) => sum + time, 0);
  return total ? silent / total : 0;
}

/** Groups of two files or more, by folder, and then each file; empty for a single file. Pairs of name and faces. */
export function groupsOf(data, faces) {
  if (data.streams.length < 2) return [];
  const byFile = collect(faces, ({ stream }) => data.streams[stream]);
  const byFolder = collect(faces, ({ stream }) => folderOf(data.streams[stream]));
  const folders = byFolder.size > 1 && byFolder.size < byFile.size ? [...byFolder] : [];
  return [...folders, ...byFile];
}

/** With the separator at its end, that of Windows too. */
const folderOf = (file) => file.slice(0, Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1) || "./";

function collect(faces, nameOf) {
  const groups = new Map();
  for (const face of faces) {
    const name = nameOf(face);
    if (groups.has(name)) groups.get(name).push(face);
    else groups.set(name, [face]);
  }
  return groups;
}
