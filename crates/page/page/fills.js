// SPDX-License-Identifier: MIT OR Apache-2.0
// The style class of each label, and what the charts fill its parts with.

import { styleColors } from "./chart.js";
import { expressionsOf } from "./expressions.js";

export const UNKNOWN = "unknown";
export const UNSCORED = "not scored";
const PATTERN_SIZE = 6; // pixels

/** A map from each label to its style class in page.html. */
export function styleClasses(labels) {
  return expressionsOf(labels).set(UNKNOWN, "unknown").set(UNSCORED, "unscored");
}

/** The labels in the order of the charts and the legend: what is no expression comes last. */
export const ranked = (labels) => [...labels.filter((label) => label !== UNKNOWN && label !== UNSCORED), UNKNOWN, UNSCORED];

/** Fills for `pen`, one for each style class, in the colours of the current colour scheme. */
export function fillsOf(pen, names) {
  const color = styleColors();
  const patterns = { unknown: hatch, unscored: dots };
  return names.map((name) => (patterns[name] ? pattern(pen, patterns[name], color("unknown")) : color(name)));
}

/** The same patterns as those of page.html, in the resolution of the screen. */
function pattern(pen, draw, color) {
  const scale = devicePixelRatio || 1;
  const tile = document.createElement("canvas");
  tile.width = tile.height = Math.round(PATTERN_SIZE * scale);
  const tilePen = tile.getContext("2d");
  tilePen.scale(tile.width / PATTERN_SIZE, tile.width / PATTERN_SIZE);
  tilePen.fillStyle = color;
  const angle = draw(tilePen);
  const made = pen.createPattern(tile, "repeat");
  made.setTransform(new DOMMatrix().rotate(angle).scale(PATTERN_SIZE / tile.width));
  return made;
}

function hatch(pen) {
  pen.fillRect(0, 0, 1, PATTERN_SIZE);
  return 45;
}

function dots(pen) {
  pen.arc(PATTERN_SIZE / 2, PATTERN_SIZE / 2, 1.2, 0, 2 * Math.PI);
  pen.fill();
  return 0;
}
