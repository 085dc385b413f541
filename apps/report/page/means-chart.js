// SPDX-License-Identifier: MIT OR Apache-2.0
// Mean scores over time, in bins, with a band of one standard error over faces, and below them the share of what is unknown.

import { chooseStep, styleColors } from "./chart.js";
import { withError } from "./comparison.js";
import { element, swatch } from "./elements.js";
import { addScores } from "./faces.js";
import { UNKNOWN, UNSCORED, fillsOf } from "./fills.js";
import { Means, meansOf } from "./groups.js";
import { plotCanvas } from "./plot.js";
import { SECOND, clock, percent } from "./text.js";

const MAX_BINS = 60;
const BIN_SECONDS = [.2, .5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
const [MEAN_HEIGHT, UNKNOWN_HEIGHT] = [56, 20]; // pixels
const MIN_CHARTED = .02; // mean of a class with a chart

/** The section; empty if no face has scores. */
export function meansOverTime(data, faces, axis, classes) {
  const all = meansOf(data, faces);
  if (!all.weight) return [];
  const seconds = chooseStep(BIN_SECONDS, axis.length / SECOND, MAX_BINS);
  const bins = binsOf(data, faces, axis, Math.round(seconds * SECOND));
  const shown = data.classes.map((label, index) => [label, index]).filter(([, index]) => all.mean(index) >= MIN_CHARTED);
  const hidden = data.classes.filter((label) => !shown.some(([other]) => other === label));
  const charts = shown.flatMap(([label, index]) => meanChart(label, index, bins, axis, classes, all));
  return [
    element("h2", {}, "Mean scores over time"),
    element(
      "p", {},
      `Bins of ${seconds} s. The line is the mean score of all faces, the band one standard error over faces, which needs two faces. `
      + `The last chart is the share of the time in which nothing was said.${hidden.length ? ` Below 2 % on average: ${hidden.join(", ")}.` : ""}`,
    ),
    element("div", { class: "card" }, ...charts, ...unknownChart(bins, axis, classes), axis.ticks()),
  ];
}

/** The means of each bin, and the time with and without a label. */
function binsOf(data, faces, axis, width) {
  const count = Math.max(1, Math.ceil(axis.length / width));
  const bins = Array.from({ length: count }, () => ({ means: new Means(data.classes.length), total: 0, silent: 0 }));
  const isSilent = data.labels.map((label) => label === UNKNOWN || label === UNSCORED);
  for (const face of faces) addFace(face, data, axis, width, bins, isSilent);
  return { bins, share: width / axis.length };
}

function addFace(face, data, axis, width, bins, isSilent) {
  const own = new Map();
  face.each((row, start, hold) => {
    // A row may be longer than a bin.
    for (let from = start, end = start + hold; from < end;) {
      const index = Math.min(bins.length - 1, Math.max(0, Math.floor((from - axis.start) / width)));
      const until = index === bins.length - 1 ? end : Math.min(end, axis.start + (index + 1) * width);
      if (!own.has(index)) own.set(index, { sums: new Float64Array(data.classes.length), scored: 0 });
      const of = own.get(index);
      if (addScores(data, row, of.sums, until - from)) of.scored += until - from;
      bins[index].total += until - from;
      if (isSilent[data.label[row]]) bins[index].silent += until - from;
      from = until;
    }
  });
  for (const [index, { sums, scored }] of own) bins[index].means.add(sums, scored);
}

function meanChart(label, index, { bins, share }, axis, classes, all) {
  const name = classes.get(label);
  const draw = (pen, width) => {
    const color = styleColors();
    pen.lineWidth = 1.5;
    bins.forEach(({ means }, bin) => {
      const mean = means.mean(index);
      if (mean === null) return;
      const [left, right] = [bin * share * width, Math.min(1, (bin + 1) * share) * width];
      const height = (value) => (1 - Math.min(1, Math.max(0, value))) * (MEAN_HEIGHT - 2) + 1;
      const error = means.error(index);
      if (error !== null) {
        pen.globalAlpha = .55;
        pen.fillStyle = color(name);
        pen.fillRect(left, height(mean + error), right - left, Math.max(1, height(mean - error) - height(mean + error)));
        pen.globalAlpha = 1;
      }
      pen.fillStyle = color("ink");
      pen.fillRect(left, height(mean) - 1, right - left, 2);
    });
  };
  const describe = (x) => {
    const bin = Math.floor(x / share);
    const { means, total, silent } = bins[bin] ?? {};
    if (!means || means.mean(index) === null) return "";
    return `${clock(axis.start + bin * share * axis.length)}: ${label} ${withError(means, index)} %, unknown ${percent(silent, total)}`;
  };
  const said = `${label}: mean score ${withError(all, index)} %`;
  return [
    element("p", { class: "mean-title" }, swatch(name), said),
    element("div", { class: "plot mean" }, plotCanvas({ height: MEAN_HEIGHT, label: `${said} over time`, draw, describe })),
  ];
}

function unknownChart({ bins, share }, axis, classes) {
  const draw = (pen, width) => {
    const [fill] = fillsOf(pen, [classes.get(UNKNOWN)]);
    bins.forEach(({ total, silent }, bin) => {
      if (!silent) return;
      const height = silent / total * UNKNOWN_HEIGHT;
      pen.fillStyle = fill;
      pen.fillRect(bin * share * width, UNKNOWN_HEIGHT - height, Math.min(share, 1 - bin * share) * width, height);
    });
  };
  const describe = (x) => {
    const { total, silent } = bins[Math.floor(x / share)] ?? {};
    return total ? `unknown ${percent(silent, total)}` : "";
  };
  const [total, silent] = bins.reduce(([time, part], bin) => [time + bin.total, part + bin.silent], [0, 0]);
  const said = `unknown: ${percent(silent, total)} of the time`;
  return [
    element("p", { class: "mean-title" }, swatch(classes.get(UNKNOWN)), said),
    element("div", { class: "plot mean" }, plotCanvas({ height: UNKNOWN_HEIGHT, label: `${said}, over time`, draw, describe })),
  ];
}
