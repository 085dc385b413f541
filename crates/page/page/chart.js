// SPDX-License-Identifier: MIT OR Apache-2.0
// Stacked columns on a canvas, for reports and for the dashboard.

/** Clears the canvas and gives it as many pixels as the screen has there. Returns its context, in CSS pixels. */
export function preparePen(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  const [columns, rows] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

/** Draws one column: parts of `heights` pixels from `bottom` upwards, each with its fill. */
export function fillColumn(pen, { left, right, bottom }, heights, fills) {
  let top = bottom;
  heights.forEach((height, index) => {
    if (!(height > 0)) return;
    top -= height;
    pen.fillStyle = fills[index];
    // Half a pixel wider, or the background shines through between two columns.
    pen.fillRect(left, top, right - left + .5, height);
  });
}

/** The smallest of `steps` of which at most `count` fit into `length`, else the last one. */
export const chooseStep = (steps, length, count) => steps.find((step) => length / step <= count) ?? steps.at(-1);

/** A function that returns the value of a custom property of the page's style. */
export function styleColors() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}
