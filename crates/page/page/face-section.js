// SPDX-License-Identifier: MIT OR Apache-2.0
// The section of one face: its shares, its scores over time, its pictures and its segments.

import { FACING, TURNED, blinkRate, facingShare, facingText, hasGeometry, rateText } from "./activity.js";
import { styleColors } from "./chart.js";
import { element, swatch } from "./elements.js";
import { addScores, labelOf } from "./faces.js";
import { UNSCORED, fillsOf } from "./fills.js";
import { plotCanvas } from "./plot.js";
import { chips, columnHeading, inWords, labelText, toneOf } from "./sections.js";
import { Stack } from "./stack.js";
import { clock, duration, percent } from "./text.js";

const MAX_ROWS = 100; // of a table of segments
const SCORES_HEIGHT = 72; // pixels, of the scores
const [STRIP_TOP, STRIP_HEIGHT] = [78, 14]; // pixels, of the strip of labels below them
const [FACING_TOP, FACING_HEIGHT] = [96, 5]; // pixels, of the line that is drawn while the face faces the camera
const MIN_STRIP_WIDTH = .0008; // of the width, so that a short segment stays visible

/** `page` has what all sections share: the data, the axis, the style classes, and `moment`, which shows a time. */
export function faceSection(face, page) {
  const shares = face.timeByLabel();
  const name = face.name(page.streams);
  const segments = face.segments();
  const description = `${name}, ${clock(face.start)} to ${clock(face.lastStart)}: ${inWords(shares)}`;
  const pictures = page.data.pictures.filter(({ row }) => row >= face.from && row < face.to);
  return element(
    "section", { class: "face" },
    element("h3", {}, name),
    element(
      "p", {},
      `Visible for ${duration(face.visible)} between `, page.moment(face.start), " and ", page.moment(face.end), ".",
    ),
    chips(shares.map(([label, time]) => [page.classes.get(label), `${label} ${percent(time, face.visible)}`])),
    hasGeometry(page.data) ? element("p", { class: "activity" }, ...activityWords(face, page)) : null,
    ...scoresChart(face, segments, page, description),
    pictures.length ? element("div", { class: "frames" }, ...pictures.map((picture) => figure(picture, page))) : null,
    segmentsTable(segments, page),
  );
}

/** How much of the time the face faces the camera, which the line below the labels shows, and how often it blinks. */
function activityWords(face, { data }) {
  const [share, rate] = [facingShare(data, [face]), blinkRate([face])];
  const facing = share === null ? "The pose of the head is not known" : `Facing the camera for ${facingText(share)} of the time`;
  const blinks = rate === null ? "" : `; ${rateText(rate)} blinks a minute`;
  return [element("span", { class: "key" }), `${facing}${blinks}.`];
}

/** The stacked scores over time, the strip of labels below, and the line while the face faces the camera. */
function scoresChart(face, segments, page, label) {
  const { axis, classes } = page;
  let stack = null; // made when it is drawn for the first time
  const canvas = plotCanvas({
    height: hasGeometry(page.data) ? FACING_TOP + FACING_HEIGHT : STRIP_TOP + STRIP_HEIGHT,
    label,
    draw: (pen, width) => {
      stack ??= scoresOver(face, page);
      stack.draw(pen, { width, height: SCORES_HEIGHT, top: Math.max(1, stack.highest()), classes });
      drawStrip(pen, width, segments, page);
      if (hasGeometry(page.data)) drawFacing(pen, width, face, page);
    },
    describe: (x, y) => {
      if (y >= FACING_TOP) return describeFacing(face, page, x);
      return y >= STRIP_TOP ? describeSegment(segments, axis, x) : describeScore(stack, axis, x, y);
    },
  });
  return [element("div", { class: "plot" }, canvas), axis.ticks()];
}

/** The mean score of each class in each column, weighted by time. */
function scoresOver(face, { data, axis, step }) {
  const columns = axis.columns(step);
  const stack = new Stack([...data.classes, UNSCORED], columns);
  const covered = new Float64Array(columns);
  face.each((row, start, hold) => {
    axis.spread(columns, start, start + hold, (column, part) => {
      covered[column] += part;
      if (!addScores(data, row, stack.column(column), part)) stack.add(column, data.classes.length, part);
    });
  });
  stack.divide(covered);
  return stack;
}

function drawStrip(pen, width, segments, { axis, classes }) {
  const labels = [...classes.keys()];
  const fills = new Map(fillsOf(pen, [...classes.values()]).map((fill, index) => [labels[index], fill]));
  for (const { start, end, label } of segments) {
    const left = axis.share(start);
    pen.fillStyle = fills.get(label);
    pen.fillRect(left * width, STRIP_TOP, Math.max(axis.share(end) - left, MIN_STRIP_WIDTH) * width, STRIP_HEIGHT);
  }
}

/** A line while the face faces the camera, fainter while it is turned away, none while its pose is not known. */
function drawFacing(pen, width, face, { data, axis }) {
  pen.fillStyle = styleColors()("ink");
  for (const { start, end, value } of facingPeriods(face, data)) {
    const left = axis.share(start) * width;
    pen.globalAlpha = value === FACING ? .85 : .15;
    pen.fillRect(left, FACING_TOP, axis.share(end) * width - left, FACING_HEIGHT);
  }
  pen.globalAlpha = 1;
}

/** The periods without a gap in which the face either faces the camera or is turned away: drawn as one, they have no seams. */
function facingPeriods(face, data) {
  const periods = [];
  face.each((row, start, hold) => {
    const value = data.facing[row];
    if (value !== FACING && value !== TURNED) return;
    const last = periods.at(-1);
    if (last?.value === value && last.end >= start) last.end = start + hold;
    else periods.push({ start, end: start + hold, value });
  });
  return periods;
}

function describeFacing(face, { data, axis }, x) {
  const time = axis.start + x * axis.length;
  let said = "";
  face.each((row, start, hold) => {
    if (time >= start && time < start + hold) said = ["pose not known", "faces the camera", "turned away"][data.facing[row]];
  });
  return said && `${clock(time)}: ${said}`;
}

function describeScore(stack, axis, x, y) {
  const found = stack?.at(x, (1 - y / SCORES_HEIGHT) * Math.max(1, stack.highest()));
  if (!found) return "";
  return `${clock(axis.start + found.column * axis.length / stack.count)}: ${found.label} ${(100 * found.value).toFixed(0)} %`;
}

function describeSegment(segments, axis, x) {
  const found = segments.find(({ start, end }) => x >= axis.share(start) && x < axis.share(end));
  return found ? `${clock(found.start)} – ${clock(found.end)}: ${found.label}` : "";
}

/** A picture with a border in the colour of its label. */
function figure({ row, score, jpeg }, { data, classes, moment }) {
  const sums = new Float64Array(data.classes.length);
  const scored = addScores(data, row, sums, 1) ? 1 : 0;
  const found = { ...labelOf(data, data.labels[data.label[row]], sums, scored), score };
  const name = classes.get(found.label);
  const source = `data:image/jpeg;base64,${jpeg}`;
  return element(
    "figure", {},
    element("img", { class: name, alt: `Face at ${clock(data.start[row])}`, src: source, decoding: "async" }),
    element(
      "figcaption", {},
      swatch(name), moment(data.start[row]), " ",
      element("span", toneOf(found), score === null ? labelText(found) : `${labelText(found)} ${(100 * score).toFixed(0)}\u00a0%`),
    ),
  );
}

function segmentsTable(segments, page) {
  const rows = segments.slice(0, MAX_ROWS).map(({ start, end, label, sums, scored }) => {
    const found = labelOf(page.data, label, sums, scored);
    return element(
      "tr", {},
      element("td", {}, page.moment(start)),
      element("td", {}, page.moment(end)),
      element("td", toneOf(found), labelText(found)),
    );
  });
  const table = element(
    "table", {},
    element("thead", {}, element("tr", {}, ...["From", "To", "Label"].map(columnHeading))),
    element("tbody", {}, ...rows),
  );
  const isCut = segments.length > MAX_ROWS;
  return element(
    "details", {},
    element("summary", {}, `Segments of one label (${segments.length})`),
    table,
    isCut ? element("p", {}, `First ${MAX_ROWS} of ${segments.length} rows.`) : null,
  );
}
