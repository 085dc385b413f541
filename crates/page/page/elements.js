// SPDX-License-Identifier: MIT OR Apache-2.0
// New elements. Texts are set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** A new element. Names of `attributes` are those of HTML; children are elements or texts, and empty ones are left out. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** A bar of `width` percent in the colour of style class `name`, or a swatch if it is that wide. */
export function colorBar(width, name, attributes = {}) {
  const rect = filled(document.createElementNS(SVG, "rect"), { width: `${width}%`, height: 20, class: name }, []);
  return filled(document.createElementNS(SVG, "svg"), { "aria-hidden": "true", ...attributes }, [rect]);
}

/** A bar of parts one after another: pairs of style class and width in percent. */
export function stackedBar(parts) {
  let left = 0;
  const rects = parts.filter(([, width]) => width > 0).map(([name, width]) => {
    const rect = { x: `${left}%`, width: `${width}%`, height: 20, class: name };
    left += width;
    return filled(document.createElementNS(SVG, "rect"), rect, []);
  });
  return filled(document.createElementNS(SVG, "svg"), { "aria-hidden": "true" }, rects);
}

export const swatch = (name) => colorBar(100, name, { class: "swatch" });

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}
