// SPDX-License-Identifier: MIT OR Apache-2.0
// Which tiles are visible: those that the viewer has chosen, or the one that is maximised.
//
// A tile has `key` (stays the same when the server restarts), `subject` (as alerts name it), `title`, `root` and
// `setVisible`, and `timeline`.

import { $, $$, fromTemplate, setText } from "./dom.js";
import { loadPreference, savePreference } from "./preferences.js";

const tiles = new Set();
/** Keys of tiles that the viewer has hidden. */
const hiddenKeys = new Set(load());
let maximised = null;
/** Alerts by subject. */
let alerts = new Map();

function load() {
  try {
    const keys = JSON.parse(loadPreference("hidden") ?? "[]");
    return Array.isArray(keys) ? keys : [];
  } catch {
    return [];
  }
}

export function addTile(tile) {
  tiles.add(tile);
  showAlert(tile);
  apply();
}

export function removeTile(tile) {
  tiles.delete(tile);
  if (maximised === tile) maximise(null);
  apply();
}

/** True if more than one tile can be seen. */
export const hasSeveral = () => [...tiles].filter(({ root }) => !root.hidden).length > 1;

/** Makes the button maximise the tile and restore it. */
export function bindMaximise(tile, button) {
  button.onclick = () => maximise(maximised === tile ? null : tile);
}

function maximise(tile) {
  const before = maximised;
  maximised = tile;
  document.documentElement.toggleAttribute("data-maximised", tile !== null);
  for (const changed of [before, tile]) {
    if (!changed) continue;
    const isOn = changed === tile;
    changed.root.toggleAttribute("data-maximised", isOn);
    const button = $(".maximise", changed.root);
    button.setAttribute("aria-pressed", String(isOn));
    setText($("span", button), isOn ? "Restore" : "Maximise");
  }
  apply();
  // Once the layout has changed.
  for (const changed of [before, tile]) if (changed) requestAnimationFrame(() => changed.timeline.draw());
  const focused = tile ?? before;
  if (focused?.root.isConnected) {
    $(".maximise", focused.root).focus();
    focused.root.scrollIntoView({ block: "nearest" });
  }
}

/** Shows a tile that may be hidden, and moves the focus to it. */
export function revealTile(subject) {
  const tile = [...tiles].find((tile) => tile.subject === subject);
  if (!tile) return;
  hiddenKeys.delete(tile.key);
  save();
  if (maximised && maximised !== tile) maximise(null);
  apply();
  tile.root.scrollIntoView({ block: "center" });
  $(".maximise", tile.root).focus();
}

/** Marks the tiles with the names of their active alerts, by subject. */
export function markAlerts(bySubject) {
  alerts = bySubject;
  tiles.forEach(showAlert);
}

function showAlert(tile) {
  const names = alerts.get(tile.subject) ?? [];
  const line = $(".alert", tile.root);
  line.hidden = !names.length;
  setText($("span", line), names.join(", "));
}

/** Binds the menu in which the viewer chooses tiles. */
export function bindChoice(menu) {
  const search = $("input[type=search]", menu);
  search.oninput = () => showChoice(menu);
  $(".all", menu).onclick = () => choose(menu, true);
  $(".none", menu).onclick = () => choose(menu, false);
  menu.addEventListener("toggle", () => showChoice(menu));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && maximised && !document.querySelector("dialog[open], details.menu[open]")) maximise(null);
  });
}

/** Shows or hides all tiles that the search finds. */
function choose(menu, isShown) {
  for (const box of $$("li input", menu)) {
    if (isShown) hiddenKeys.delete(box.value);
    else hiddenKeys.add(box.value);
  }
  save();
  apply();
}

function showChoice(menu) {
  if (!menu.open) return;
  const wanted = $("input[type=search]", menu).value.trim().toLowerCase();
  const found = [...tiles].filter(({ title }) => title.toLowerCase().includes(wanted));
  found.sort((a, b) => a.title.localeCompare(b.title, undefined, { numeric: true }));
  const list = $("ul", menu);
  const shown = found.map(({ key, title }) => `${key}\n${title}`).join("\n");
  if (list.dataset.shown !== shown) {
    list.dataset.shown = shown;
    list.replaceChildren(...found.map(({ key, title }) => {
      const item = fromTemplate("choice-item");
      const box = $("input", item);
      box.value = key;
      setText($("span", item), title);
      box.onchange = () => {
        if (box.checked) hiddenKeys.delete(key);
        else hiddenKeys.add(key);
        save();
        apply();
      };
      return item;
    }));
  }
  for (const box of $$("li input", menu)) box.checked = !hiddenKeys.has(box.value);
}

function save() {
  // Hidden sources that are gone are remembered too, up to a limit.
  savePreference("hidden", JSON.stringify([...hiddenKeys].slice(-500)));
}

/** Shows the tiles that are to be seen. */
function apply() {
  let shown = 0;
  for (const tile of tiles) {
    const isChosen = !hiddenKeys.has(tile.key);
    const isVisible = maximised ? tile === maximised : isChosen;
    shown += isChosen;
    tile.root.hidden = !isVisible;
    tile.setVisible(isVisible);
  }
  const menu = $("#choice");
  menu.hidden = tiles.size < 2;
  setText($("summary span", menu), shown === tiles.size ? `${tiles.size}` : `${shown} of ${tiles.size}`);
  showChoice(menu);
}
