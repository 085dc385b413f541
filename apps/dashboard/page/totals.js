// SPDX-License-Identifier: MIT OR Apache-2.0
// The face count and the mean scores of all faces in a frame.

import { $, setText } from "./dom.js";
import { coloredElement } from "./expressions.js";
import { formatFaces, formatPercent } from "./format.js";
import { labelText } from "./labels.js";

/** Number of labels in the legend of a small tile. */
const SHORT_LEGEND = 2;

const indexOfMax = (scores) => scores.indexOf(Math.max(...scores));

const indicesOfLargest = (scores, count) =>
  scores.map((_, index) => index).sort((a, b) => scores[b] - scores[a]).slice(0, count);

/**
 * Shows `{ faces, scores, facing }` in a tile; `scores` is null if no face was classified, and `facing` if no pose is known. It has
 * the number of faces with a known pose and of those that face the camera.
 */
export function showTotals(tile, { faces, scores, facing = null }, labels) {
  setText($(".count", tile), facing ? `${formatFaces(faces)}, ${facing[1]} facing` : formatFaces(faces));
  const [bar, legend] = [$(".stack", tile), $(".legend", tile)];
  if (legend.childElementCount !== labels.length) {
    bar.replaceChildren(...labels.map((label) => coloredElement("i", label)));
    legend.replaceChildren(...labels.map(legendItem));
  }
  const top = scores ? indexOfMax(scores) : -1;
  const shown = new Set(indicesOfLargest(scores ?? [], SHORT_LEGEND));
  labels.forEach((label, index) => {
    bar.children[index].style.width = `${(scores?.[index] ?? 0) * 100}%`;
    const item = legend.children[index];
    item.toggleAttribute("data-top", index === top);
    item.toggleAttribute("data-shown", shown.has(index));
    setText(item.firstElementChild, labelText(label));
    setText(item.lastElementChild, scores ? formatPercent(scores[index]) : "–");
  });
}

function legendItem(label) {
  const item = coloredElement("li", label);
  item.append(document.createElement("span"), document.createElement("b"));
  return item;
}

/** The totals as a phrase for screen readers. */
export function describeTotals({ faces, scores, facing = null }, labels) {
  const count = facing ? `${formatFaces(faces)}, ${facing[1]} facing the camera` : formatFaces(faces);
  return scores ? `${count}, mostly ${labelText(labels[indexOfMax(scores)])}` : count;
}
