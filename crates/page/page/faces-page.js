// SPDX-License-Identifier: MIT OR Apache-2.0
// The page of an export of individual faces.

import { blinkRate, facingShare, facingText, hasGeometry, rateText } from "./activity.js";
import { Axis } from "./axis.js";
import { comparison } from "./comparison.js";
import { element } from "./elements.js";
import { faceSection } from "./face-section.js";
import { facesOf, meanScores, timeBy, timeByLabel } from "./faces.js";
import { ranked, styleClasses } from "./fills.js";
import { unansweredShare } from "./groups.js";
import { meansOverTime } from "./means-chart.js";
import { overallChart } from "./overall.js";
import { inWords, legend, sharesTable, tile } from "./sections.js";
import { Stack } from "./stack.js";
import { count, duration, percent } from "./text.js";

const MAX_FACES = 60; // with their own section: the ones visible for the longest time
const REASONS = [undefined, "uncertain, since no label reached the minimum score", "too small", "turned away too far"];

/** The parts of the page. `moment` shows a time. */
export function pageOfFaces(data, moment) {
  const axis = new Axis(data.axis);
  const faces = facesOf(data);
  const classes = styleClasses(data.labels);
  const labels = ranked(data.labels);
  const totals = timeByLabel(faces);
  const page = { data, axis, classes, moment, step: data.step, streams: data.streams.length };
  const chartLabel = `Faces over time by label: ${inWords(totals)}`;
  return {
    axis,
    tiles: faceTiles(data, faces, axis),
    overall: {
      title: "All faces over time",
      words: "The number of faces with each label. Blank where no face was exported.",
      content: overallChart(faceCounts(data, faces, axis, labels), classes, axis, chartLabel),
    },
    shares: {
      title: "Share of time",
      content: [timeTable(data, faces, totals, classes), ...reasons(data, faces)],
    },
    comparison: [...comparison(data, faces, classes), ...meansOverTime(data, faces, axis, classes)],
    faces: [
      element("h2", {}, "Individual faces"),
      element(
        "p", {},
        "The chart shows all scores of the face, the strip below it the label. Blank where the face was not visible. An id "
        + "is a track: a person who leaves and returns gets a new one.",
      ),
      legend(labels, classes),
      ...sections(faces, page),
    ],
  };
}

/** The mean number of faces with each label, for each column. */
function faceCounts(data, faces, axis, labels) {
  const columns = axis.columns(data.step);
  const stack = new Stack(labels, columns);
  const indices = data.labels.map((label) => labels.indexOf(label));
  for (const face of faces) {
    face.each((row, start, hold) => {
      const label = indices[data.label[row]];
      axis.spread(columns, start, start + hold, (column, part) => stack.add(column, label, part * columns / axis.length));
    });
  }
  return stack;
}

function timeTable(data, faces, totals, classes) {
  const seen = new Set(totals.map(([label]) => label));
  const others = data.classes.filter((name) => !seen.has(name)).map((name) => [name, 0]);
  return sharesTable([...totals, ...others], {
    heading: "Time",
    format: duration,
    caption: "Share of the time in which faces were visible. Two faces for one second count as two seconds. "
      + "The mean score counts how probable an expression was, also where another one was the label; "
      + `nothing is said in ${percent(unansweredShare(totals), 1)} of the time.`,
    classes,
    means: meanScores(data, faces),
  });
}

/** Why faces are `unknown`, if the records say so. */
function reasons(data, faces) {
  const times = timeBy(faces, (row) => REASONS[data.reason[row]]);
  if (!times.length) return [];
  const said = times.map(([reason, time]) => `${duration(time)} ${reason}`).join("; ");
  return [element("p", { class: "reasons" }, `unknown: ${said}.`)];
}

function faceTiles(data, faces, axis) {
  const share = `${duration(data.with_faces)}\u00a0· ${percent(data.with_faces, axis.length).replace(" %", "\u00a0%")}`;
  return [
    tile(duration(axis.length), "length"),
    tile(share, "time with faces"),
    tile(faces.filter(({ id }) => id !== null).length, "face ids"),
    tile(data.at_once, "faces at once (maximum)"),
    ...(hasGeometry(data) ? activityTiles(data, faces) : []),
  ];
}

function activityTiles(data, faces) {
  const rate = blinkRate(faces);
  return [
    tile(facingText(facingShare(data, faces)), "of the time facing the camera"),
    tile(rateText(rate), rate === null ? "blinks: no eyes were watched for two seconds" : "blinks a minute"),
  ];
}

/** The sections of the faces that are visible for the longest time, in the order in which they appear. */
function sections(faces, page) {
  const longest = faces.toSorted((a, b) => b.visible - a.visible).slice(0, MAX_FACES);
  const shown = longest.toSorted((a, b) => a.start - b.start);
  const hidden = faces.length - shown.length;
  const rest = `${count(hidden, "face")} visible for a shorter time: counted above, not shown here.`;
  return [...shown.map((face) => faceSection(face, page)), ...(hidden ? [element("p", {}, rest)] : [])];
}
