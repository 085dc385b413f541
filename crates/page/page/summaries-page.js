// SPDX-License-Identifier: MIT OR Apache-2.0
// The page of an export of totals, made with aggregate-only.

import { Axis } from "./axis.js";
import { element } from "./elements.js";
import { ranked, styleClasses } from "./fills.js";
import { overallChart } from "./overall.js";
import { inWords, sharesTable, tile } from "./sections.js";
import { Stack } from "./stack.js";
import { duration } from "./text.js";

/** The parts of the page. */
export function pageOfSummaries(data) {
  const axis = new Axis(data.axis);
  const classes = styleClasses(data.labels);
  const shares = totals(data).filter(([, faces]) => faces).sort(([, a], [, b]) => b - a);
  const chartLabel = `Faces over time by label: ${inWords(shares) || "no face"}`;
  return {
    axis,
    tiles: summaryTiles(data, axis),
    overall: {
      title: "All faces over time",
      words: "The mean number of faces with each label in each interval. Blank where there was no face.",
      content: overallChart(meanCounts(data, axis), classes, axis, chartLabel),
    },
    shares: {
      title: "Share of faces",
      content: shares.length ? [facesTable(shares, classes)] : [],
    },
    comparison: [],
    faces: [
      element("h2", {}, "Individual faces"),
      element("p", {}, "This export has totals only, without boxes or ids."),
    ],
  };
}

const totals = ({ labels, counts }) =>
  labels.map((label, index) => [label, counts[index].reduce((sum, faces) => sum + faces, 0)]);

function facesTable(shares, classes) {
  return sharesTable(shares, {
    heading: "Faces", format: String, caption: "Faces over all frames. One face in ten frames counts as ten.", classes,
  });
}

/** The mean number of faces with each label, for each column, weighted by time. */
function meanCounts(data, axis) {
  const labels = ranked(data.labels);
  const columns = axis.columns(Math.max(data.step, 1));
  const stack = new Stack(labels, columns);
  const covered = new Float64Array(columns);
  const indices = data.labels.map((label) => labels.indexOf(label));
  data.start.forEach((start, row) => {
    axis.spread(columns, start, start + Math.max(data.hold[row], 1), (column, part) => {
      covered[column] += part;
      indices.forEach((label, index) => stack.add(column, label, part * data.counts[index][row] / Math.max(data.frames[row], 1)));
    });
  });
  stack.divide(covered);
  return stack;
}

function summaryTiles(data, axis) {
  const withFaces = data.hold.reduce((sum, hold, row) => sum + (data.faces_max[row] ? hold : 0), 0);
  return [
    tile(duration(axis.length), "length"),
    tile(duration(withFaces), "intervals with faces"),
    tile(data.faces_max.reduce((a, b) => Math.max(a, b), 0), "faces at once (maximum)"),
    tile(data.start.length, "intervals"),
  ];
}
