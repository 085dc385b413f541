// SPDX-License-Identifier: MIT OR Apache-2.0
// Parts of the page.

import { isUncertain } from "./certainty.js";
import { colorBar, element, swatch } from "./elements.js";
import { percent } from "./text.js";

/** A number with its caption. */
export const tile = (value, caption) => element("div", {}, element("dt", {}, caption), element("dd", {}, String(value)));

/** A list of pairs of style class and text. */
export function chips(items) {
  return element("ul", { class: "chips" }, ...items.map(([name, text]) => element("li", {}, swatch(name), text)));
}

export const legend = (labels, classes) => chips(labels.map((label) => [classes.get(label), label]));

const totalOf = (shares) => shares.reduce((sum, [, amount]) => sum + amount, 0);

/** Pairs of label and amount as text, with the share of each. */
export function inWords(shares) {
  const total = totalOf(shares);
  return shares.map(([label, amount]) => `${label} ${percent(amount, total)}`).join(", ");
}

/**
 * A table of pairs of label and amount. `heading` is that of the amounts, which `format` turns into text; `means` has the
 * mean score of each class, or is null.
 */
export function sharesTable(shares, { heading, format, caption, classes, means = null }) {
  const total = totalOf(shares);
  const headings = ["Share", heading, ...(means ? ["Mean score"] : [])].map((name) => columnHeading(name));
  const rows = shares.map(([label, amount]) => element(
    "tr", {},
    element("th", { scope: "row" }, swatch(classes.get(label)), label),
    element("td", { class: "bar" }, colorBar(total ? 100 * amount / total : 0, classes.get(label))),
    element("td", {}, percent(amount, total)),
    element("td", {}, format(amount)),
    means && element("td", {}, means.has(label) ? percent(means.get(label), 1) : "–"),
  ));
  return element(
    "table", { class: "shares" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, columnHeading("Label"), element("td"), ...headings)),
    element("tbody", {}, ...rows),
  );
}

export const columnHeading = (name) => element("th", { scope: "col" }, name);

/** A label with its second class if it is uncertain, as in "surprise or fear", then in a quieter tone. */
export function labelText({ label, score, second }) {
  return score !== null && isUncertain(score) && second ? `${label} or ${second}` : label;
}

/** The style class of an uncertain label. */
export const toneOf = ({ score }) => (score !== null && isUncertain(score) ? { class: "tentative" } : {});
