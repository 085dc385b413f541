// SPDX-License-Identifier: MIT OR Apache-2.0

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Sets the text only if it differs, so that screen readers announce nothing and the layout does not change. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A copy of the only element in `<template id=…>`. */
export function fromTemplate(id) {
  return $(`#${id}`).content.firstElementChild.cloneNode(true);
}
