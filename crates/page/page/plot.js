// SPDX-License-Identifier: MIT OR Apache-2.0
// A chart on the page. It is drawn when it comes near the visible part of the page, and again when its size or the colours
// change.

import { preparePen } from "./chart.js";
import { element } from "./elements.js";

const plots = new Map();

const views = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) plots.get(target).setVisible(isIntersecting);
}, { rootMargin: "50% 0px" });
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) plots.get(target).drawIfVisible();
});

class Plot {
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.draw = draw;
    this.isVisible = false;
  }

  setVisible(isVisible) {
    this.isVisible = isVisible;
    this.drawIfVisible();
  }

  drawIfVisible() {
    if (this.isVisible) this.redraw();
  }

  redraw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width) this.draw(preparePen(this.canvas, width, height), width);
  }
}

function redrawAll() {
  for (const plot of plots.values()) plot.redraw();
}

matchMedia("(prefers-color-scheme: dark)").onchange = () => plots.forEach((plot) => plot.drawIfVisible());
// Paper shows all charts, in the colours for paper.
addEventListener("beforeprint", redrawAll);
matchMedia("print").onchange = redrawAll;

/**
 * A canvas of `height` pixels. `draw(pen, width)` draws it; `describe(x, y)` returns what is at a position, x as a share of
 * the width and y in pixels; `label` says in words what it shows.
 */
export function plotCanvas({ height, label, draw, describe }) {
  const canvas = element("canvas", { role: "img", "aria-label": label, style: `height:${height}px` });
  canvas.onpointermove = ({ offsetX, offsetY }) => {
    canvas.title = describe(offsetX / canvas.clientWidth, offsetY);
  };
  plots.set(canvas, new Plot(canvas, draw));
  views.observe(canvas);
  sizes.observe(canvas);
  return canvas;
}
