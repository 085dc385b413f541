// SPDX-License-Identifier: MIT OR Apache-2.0

import { $, setText } from "./dom.js";

/** How long the button waits for the second click, in milliseconds. */
const CONFIRMATION_MS = 4000;

/** Makes a button call `remove` on the second of two clicks. The style sheet marks it in between. */
export function bindRemove(button, remove) {
  const label = button.textContent;
  button.onclick = () => {
    if (button.dataset.confirming) return remove();
    button.dataset.confirming = "yes";
    setText(button, "Really remove?");
    setTimeout(() => {
      delete button.dataset.confirming;
      setText(button, label);
    }, CONFIRMATION_MS);
  };
}

/** Closes a `<details>` menu on Escape, on a choice and when the focus leaves it. Returns a function to unbind it. */
export function bindMenu(menu) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    $("summary", menu).focus();
  });
  menu.addEventListener("toggle", () => {
    // Opens to the left where there is no room on the right.
    menu.removeAttribute("data-right");
    const edge = (menu.closest(".tile") ?? document.body).getBoundingClientRect().right;
    menu.toggleAttribute("data-right", menu.lastElementChild.getBoundingClientRect().right > edge);
  });
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
  });
  const closeOnClick = ({ target }) => {
    if (!menu.contains(target) || target.matches("a")) menu.open = false;
  };
  document.addEventListener("click", closeOnClick);
  return () => document.removeEventListener("click", closeOnClick);
}
