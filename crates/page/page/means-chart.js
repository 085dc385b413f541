// SPDX-License-Identifier: MIT OR Apache-2.0
// Mean scores over time, in bins, with a band of one standard error over faces, and below them the share of what is unknown and
// that of faces that face the camera.

import { FACING, TURNED, hasGeometry } from "./activity.js";
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
      + `Below the means is the share of the time in which nothing was said.${hidden.length ? ` Below 2 % on average: ${hidden.join(", ")}.` : ""}`,
    ),
    element("div", { class: "card" }, ...charts, ...unknownChart(bins, axis, classes), ...(hasGeometry(data) ? facingChart(bins, axis) : []), axis.ticks()),
  ];
}

/** The means of each bin, and the time with and without a label. */
function binsOf(data, faces, axis, width) {
  const count = Math.max(1, Math.ceil(axis.length / width));
  const bins = Array.from({ length: count }, () => ({ means: new Means(data.classes.length), total: 0, silent: 0, posed: 0, facing: 0 }));
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
      if (data.facing[row] === FACING) bins[index].facing += until - from;
      if (data.facing[row] === FACING || data.facing[row] === TURNED) bins[index].posed += until - from;
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
  const fill = (pen) => fillsOf(pen, [classes.get(UNKNOWN)])[0];
  return sharesChart({ bins, share }, axis, { name: "unknown", style: classes.get(UNKNOWN), fill, part: "silent", whole: "total" });
}

function facingChart({ bins, share }, axis) {
  const fill = () => styleColors()("dim");
  return sharesChart({ bins, share }, axis, { name: "facing the camera", style: "facing", fill, part: "facing", whole: "posed" });
}

/** The share of `part` in `whole` of each bin. */
function sharesChart({ bins, share }, axis, { name, style, fill, part, whole }) {
  const draw = (pen, width) => {
    pen.fillStyle = fill(pen);
    bins.forEach((bin, index) => {
      if (!bin[part]) return;
      const height = bin[part] / bin[whole] * UNKNOWN_HEIGHT;
      // Half a pixel wider, or the background shines through between two bins.
      pen.fillRect(index * share * width, UNKNOWN_HEIGHT - height, Math.min(share, 1 - index * share) * width + .5, height);
    });
  };
  const describe = (x) => {
    const bin = bins[Math.floor(x / share)];
    return bin?.[whole] ? `${clock(axis.start + Math.floor(x / share) * share * axis.length)}: ${name} ${percent(bin[part], bin[whole])}` : "";
  };
  const sum = (field) => bins.reduce((total, bin) => total + bin[field], 0);
  const said = `${name}: ${percent(sum(part), sum(whole))} of the time`;
  return [
    element("p", { class: "mean-title" }, swatch(style), said),
    element("div", { class: "plot mean" }, plotCanvas({ height: UNKNOWN_HEIGHT, label: `${said}, over time`, draw, describe })),
  ];
}
