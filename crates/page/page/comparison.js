// SPDX-License-Identifier: MIT OR Apache-2.0
// Groups and persons side by side: shares of the time, what is unknown, and mean scores.

import { blinkRate, facingShare, facingText, hasGeometry, rateText } from "./activity.js";
import { element, stackedBar } from "./elements.js";
import { timeByLabel } from "./faces.js";
import { groupsOf, meansOf, unansweredShare } from "./groups.js";
import { columnHeading } from "./sections.js";
import { count, duration, percent } from "./text.js";

const MAX_GROUPS = 40; // rows: the first ones
const MAX_PERSONS = 60; // rows: those visible for the longest time
const MIN_MEAN = .01; // of a class with a column
const GEOMETRY_WORDS = " Facing is the share of the time in which the head is turned to the camera, blinks is their number a minute.";

/** The section; empty if there is nothing to compare. */
export function comparison(data, faces, classes) {
  if (faces.length < 2) return [];
  const groups = groupsOf(data, faces);
  const all = meansOf(data, faces);
  const shown = data.classes.map((label, index) => [label, index]).filter(([, index]) => all.mean(index) >= MIN_MEAN);
  const hidden = data.classes.filter((label) => !shown.some(([other]) => other === label));
  const persons = faces.toSorted((a, b) => b.visible - a.visible).slice(0, MAX_PERSONS).toSorted((a, b) => a.from - b.from);
  const rows = [
    comparisonRow("All faces", faces, data, classes, shown),
    ...groups.slice(0, MAX_GROUPS).map(([name, of]) => comparisonRow(name, of, data, classes, shown)),
    ...persons.map((face) => comparisonRow(face.name(data.streams.length), [face], data, classes, shown, "person")),
  ];
  const geometry = hasGeometry(data) ? ["facing", "blinks"] : [];
  const headings = ["Name", "Visible", "Labels", "unknown", ...geometry, ...shown.map(([label]) => label)].map(columnHeading);
  const table = element(
    "table", { class: "comparison" },
    element("thead", {}, element("tr", {}, ...headings)),
    element("tbody", {}, ...rows),
  );
  return [
    element("h2", {}, "Side by side"),
    element(
      "p", {},
      "Shares of the time, and mean scores in % with the standard error over faces. The column unknown is the share of the time "
      + `without a label: where it is high, means say less.${geometry.length ? GEOMETRY_WORDS : ""}${hidden.length ? ` Below 1 % on average: ${hidden.join(", ")}.` : ""}`,
    ),
    element("div", { class: "card wide" }, table),
    leftOut(groups.length - MAX_GROUPS, "file"),
    leftOut(faces.length - persons.length, "face"),
  ].filter((part) => part !== null);
}

const leftOut = (number, what) => (number > 0 ? element("p", {}, `${count(number, what)} more, not shown in this table.`) : null);

function comparisonRow(name, faces, data, classes, shown, kind = "group") {
  const shares = timeByLabel(faces);
  const total = shares.reduce((sum, [, time]) => sum + time, 0);
  const means = meansOf(data, faces);
  const times = new Map(shares);
  const parts = data.labels.map((label) => [classes.get(label), times.get(label) ?? 0]);
  return element(
    "tr", { class: kind },
    element("th", { scope: "row" }, name, faces.length > 1 ? element("small", {}, ` ${count(faces.length, "face")}`) : null),
    element("td", {}, duration(total)),
    element("td", { class: "bar" }, stackedBar(parts.map(([style, time]) => [style, 100 * time / total]))),
    element("td", {}, percent(unansweredShare(shares), 1)),
    ...(hasGeometry(data) ? [facingText(facingShare(data, faces)), rateText(blinkRate(faces))].map((text) => element("td", {}, text)) : []),
    ...shown.map(([, index]) => element("td", {}, withError(means, index))),
  );
}

/** A mean in %, with its standard error if there is one. */
export function withError(means, index) {
  const [mean, error] = [means.mean(index), means.error(index)];
  if (mean === null) return "–";
  const shown = (100 * mean).toFixed(0);
  return error === null ? shown : `${shown} ± ${(100 * error).toFixed(0)}`;
}
