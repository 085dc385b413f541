// SPDX-License-Identifier: MIT OR Apache-2.0
// The drawn face of each expression.

import { colorOf, expressionOf } from "./expressions.js";

const SVG = "http://www.w3.org/2000/svg";
const DARK = "#14181c";

function ellipse(x, y, rx, ry) {
  return `M${x - rx} ${y}a${rx} ${ry} 0 1 0 ${2 * rx} 0a${rx} ${ry} 0 1 0 ${-2 * rx} 0Z`;
}

/** The faces that emotionoverlay draws, in a disc of radius 1, as SVG paths: whites of the eyes, fills and strokes. */
const FEATURES = {
  neutral: {
    fills: [ellipse(-.34, -.16, .13, .15), ellipse(.34, -.16, .13, .15)],
    strokes: ["M-.36.42H.36"],
  },
  happiness: {
    fills: ["M-.54.16Q0 1.24.54.16Z"],
    strokes: ["M-.54-.1Q-.34-.44-.14-.1", "M.14-.1Q.34-.44.54-.1"],
  },
  surprise: {
    fills: [ellipse(-.34, -.16, .15, .19), ellipse(.34, -.16, .15, .19), ellipse(0, .48, .21, .29)],
    strokes: ["M-.56-.5Q-.36-.7-.16-.54", "M.16-.54Q.36-.7.56-.5"],
  },
  sadness: {
    fills: [ellipse(-.34, -.08, .12, .14), ellipse(.34, -.08, .12, .14)],
    strokes: ["M-.6-.32L-.2-.54", "M.6-.32L.2-.54", "M-.4.6Q0 .14.4.6"],
  },
  anger: {
    fills: [ellipse(-.34, -.04, .13, .13), ellipse(.34, -.04, .13, .13)],
    strokes: ["M-.62-.46L-.14-.24", "M.62-.46L.14-.24", "M-.44.62L-.34.52H.34L.44.62"],
  },
  disgust: {
    fills: [],
    strokes: ["M-.58-.34L-.2-.16L-.58 0", "M.58-.34L.2-.16L.58 0", "M-.5.56Q-.28.2-.06.46Q.2.76.48.36"],
  },
  fear: {
    whites: [ellipse(-.35, -.14, .25, .27), ellipse(.35, -.14, .25, .27)],
    fills: [ellipse(-.35, -.1, .1, .11), ellipse(.35, -.1, .1, .11), "M-.5.72Q0-.1.5.72Z"],
    strokes: ["M-.66-.46L-.3-.66", "M.66-.46L.3-.66"],
  },
  contempt: {
    fills: [ellipse(-.3, -.12, .12, .11), ellipse(.38, -.14, .12, .11)],
    strokes: ["M-.56-.24H-.14", "M.14-.3L.56-.44", "M-.38.5Q.26.56.46.24"],
  },
  unknown: { fills: [], strokes: [] },
};

function svgElement(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Draws the label's face into an `<svg>`; nothing happens if it shows that face already. */
export function drawFace(svg, label) {
  const name = expressionOf(label);
  if (svg.dataset.name === name) return;
  svg.dataset.name = name;
  const { whites = [], fills, strokes } = FEATURES[name];
  const ink = name === "sadness" ? "#fff" : DARK; // the disc of sadness is dark
  const pen = {
    fill: "none", stroke: ink, "stroke-width": .15, "stroke-linecap": "round", "stroke-linejoin": "round",
  };
  const disc = svgElement("circle", { r: 1 });
  disc.style.fill = colorOf(name);
  svg.replaceChildren(
    disc,
    ...whites.map((d) => svgElement("path", { d, fill: "#fff" })),
    ...fills.map((d) => svgElement("path", { d, fill: ink })),
    ...strokes.map((d) => svgElement("path", { d, ...pen })),
  );
}

/** A new `<svg>` of the label's face. */
export function createFace(label) {
  const svg = svgElement("svg", { viewBox: "-1.1 -1.1 2.2 2.2" });
  drawFace(svg, label);
  return svg;
}
