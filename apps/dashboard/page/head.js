// SPDX-License-Identifier: MIT OR Apache-2.0
// A small head that turns as the head of a face does, and closes its eyes. It is drawn from an egg with the lines by which artists
// construct a head: one from the crown over the nose to the chin, and one around it at the brows.

const SVG = "http://www.w3.org/2000/svg";
/** Half the width, height and depth of the egg. */
const RADII = [.74, .98, .86];
const [EYE_X, EYE_Y, EYE_WIDTH, EYE_HEIGHT] = [24, 6, 10, 6.5]; // degrees around the egg
/** Eyes that are open this little are lines. */
const CLOSED = .12;
const STEPS = 20;
const DEGREE = Math.PI / 180;

/** The directions of the person's left, of the crown and of the nose, as the columns of a matrix: x to the right, y up, z to the viewer. */
function rotation([yaw, pitch, roll]) {
  const [[sy, cy], [sp, cp], [sr, cr]] = [yaw, pitch, roll].map((angle) => [Math.sin(angle * DEGREE), Math.cos(angle * DEGREE)]);
  return [
    [cy * cr + sy * sp * sr, cy * sr - sy * sp * cr, sy * cp],
    [-cp * sr, cp * cr, sp],
    [-sy * cr + cy * sp * sr, -sy * sr - cy * sp * cr, cy * cp],
  ];
}

const turn = (matrix, [x, y, z]) => matrix.map((row) => row[0] * x + row[1] * y + row[2] * z);

/** The direction of a place on the egg: degrees to the person's left, and up. */
function direction(longitude, latitude) {
  const [a, b] = [longitude * DEGREE, latitude * DEGREE];
  return [Math.sin(a) * Math.cos(b), Math.sin(b), Math.cos(a) * Math.cos(b)];
}

const place = (longitude, latitude) => direction(longitude, latitude).map((part, axis) => part * RADII[axis]);

/** How far a place is turned to the viewer: 1 in the middle, 0 at the edge, below 0 on the far side. */
function visibility(matrix, longitude, latitude) {
  const normal = direction(longitude, latitude).map((part, axis) => part / RADII[axis]);
  return turn(matrix, normal)[2] / Math.hypot(...normal);
}

const pair = ([x, y]) => `${x.toFixed(3)} ${(-y).toFixed(3)}`;

/** The path through those of the places that can be seen. */
function path(matrix, places) {
  let isDown = false;
  return places.map(([longitude, latitude]) => {
    if (visibility(matrix, longitude, latitude) < 0) {
      isDown = false;
      return "";
    }
    const command = isDown ? "L" : "M";
    isDown = true;
    return command + pair(turn(matrix, place(longitude, latitude)));
  }).join("");
}

const range = (from, to) => Array.from({ length: STEPS + 1 }, (_, step) => from + (to - from) * step / STEPS);

/** The outline of the egg: centre, radii and angle of an ellipse. */
function outline(matrix) {
  // The covariance of the projection, and its two axes.
  const at = (row, column) => RADII.reduce((sum, radius, axis) => sum + matrix[row][axis] * matrix[column][axis] * radius ** 2, 0);
  const [xx, xy, yy] = [at(0, 0), at(0, 1), at(1, 1)];
  const [mean, spread] = [(xx + yy) / 2, Math.hypot((xx - yy) / 2, xy)];
  return { rx: Math.sqrt(mean + spread), ry: Math.sqrt(mean - spread), angle: -Math.atan2(2 * xy, xx - yy) / 2 / DEGREE };
}

/** An eye on the person's left (`side` is 1) or right (-1). */
function eye(matrix, side, lids) {
  if (visibility(matrix, side * EYE_X, EYE_Y) < .12) return "";
  const open = Math.max(0, 1 - lids / .7);
  const around = range(0, 360).map((angle) => [
    side * EYE_X + EYE_WIDTH * Math.cos(angle * DEGREE), EYE_Y + EYE_HEIGHT * open * Math.sin(angle * DEGREE),
  ]);
  return path(matrix, around) + (open < CLOSED ? "" : "Z");
}

/** Both ears; `isNear` is true if the ear is in front of the egg. */
function ears(matrix) {
  return [-1, 1].map((side) => {
    const [x, y] = turn(matrix, [side * RADII[0] * 1.02, -.02, -.08]);
    const isNear = visibility(matrix, side * 97, 0) > 0;
    const width = .13 + (isNear ? .06 : 0);
    return { isNear, drawn: svgElement("ellipse", { class: "skin", cx: x.toFixed(3), cy: (-y).toFixed(3), rx: width, ry: .2 }) };
  });
}

/** The nose, which stands out of the egg. */
function nose(matrix) {
  const [root, tip, base] = [[0, .1, .84], [0, -.2, 1.12], [0, -.26, .84]].map((point) => turn(matrix, point));
  return `M${pair(root)}L${pair(tip)}L${pair(base)}`;
}

function svgElement(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Draws a head with yaw, pitch and roll in degrees into an `<svg>`; `lids` is 1 for closed eyes, null if that is not known. */
export function drawHead(svg, pose, lids) {
  const shown = `${pose} ${lids}`;
  if (svg.dataset.shown === shown) return;
  svg.dataset.shown = shown;
  const matrix = rotation(pose);
  const { rx, ry, angle } = outline(matrix);
  const closed = lids ?? 0;
  const isClosed = 1 - closed / .7 < CLOSED;
  const facesUs = matrix[2][2] > 0;
  const drawnEars = ears(matrix);
  const earsThat = (isNear) => drawnEars.filter((ear) => ear.isNear === isNear).map(({ drawn }) => drawn);
  const parts = [
    ...earsThat(false),
    svgElement("ellipse", { class: "skin", rx: rx.toFixed(3), ry: ry.toFixed(3), transform: `rotate(${angle.toFixed(1)})` }),
    svgElement("path", { class: "guide", d: path(matrix, range(-70, 90).map((latitude) => [0, latitude])) }),
    svgElement("path", { class: "guide", d: path(matrix, range(-90, 90).map((longitude) => [longitude, 19])) }),
    ...earsThat(true),
    ...[-1, 1].map((side) => svgElement("path", { class: isClosed ? "line" : "eye", d: eye(matrix, side, closed) })),
    svgElement("path", { class: "line", d: path(matrix, range(-20, 20).map((longitude) => [longitude, -38])) }),
    facesUs ? svgElement("path", { class: "line", d: nose(matrix) }) : null,
  ];
  svg.replaceChildren(...parts.filter((part) => part !== null));
}
