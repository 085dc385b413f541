// SPDX-License-Identifier: MIT OR Apache-2.0
// Alerts: what the rules of the configuration have found.

import { $, setText } from "./dom.js";
import { formatTime } from "./format.js";
import { labelText } from "./labels.js";
import { markAlerts, revealTile } from "./tiles.js";

/** Takes all alerts that the server remembers, the oldest first. */
export function showAlerts(alerts) {
  const newestFirst = alerts.toReversed();
  const active = newestFirst.filter(({ ended }) => ended === null);
  const earlier = newestFirst.filter(({ ended }) => ended !== null);
  $("#alerts").hidden = !alerts.length;
  $("#alerts").toggleAttribute("data-active", active.length > 0);
  setText($("#alerts h2"), active.length ? `Alerts (${active.length})` : "No active alert");
  fill($("#active-alerts"), active);
  fill($("#earlier-alerts ul"), earlier);
  $("#earlier-alerts").hidden = !earlier.length;
  setText($("#earlier-alerts summary"), `Earlier (${earlier.length})`);
  const bySubject = new Map();
  for (const alert of active) {
    const key = subjectKey(alert);
    bySubject.set(key, [...(bySubject.get(key) ?? []), alert.rule]);
  }
  markAlerts(bySubject);
}

/** Items that are already there stay, so that a screen reader reads new ones only. */
function fill(list, alerts) {
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
  list.replaceChildren(...alerts.map((alert) => known.get(itemId(alert)) ?? alertItem(alert)));
}

const itemId = ({ id, count }) => `${id} ${count}`;

function alertItem(alert) {
  const item = document.createElement("li");
  item.dataset.id = itemId(alert);
  const place = document.createElement("button");
  place.type = "button";
  place.className = "link";
  setText(place, alert.source);
  place.onclick = () => revealTile(subjectKey(alert));
  const [name, text] = [document.createElement("strong"), document.createElement("span")];
  setText(name, alert.rule);
  setText(text, describe(alert));
  item.append(name, place, text);
  return item;
}

function describe({ rule, when, value, began, ended, count, first }) {
  const clock = (ms) => formatTime(ms / 1000, { withSeconds: true });
  const condition = when === rule || when === "offline" ? "" : `${when.replace(/^\S+/, labelText)}, `;
  const found = value === null ? "" : `was ${value.toFixed(value < 1 ? 2 : 1)}, `;
  const times = count > 1 ? `, ${count} times since ${clock(first)}` : "";
  return `${condition}${found}${ended === null ? `since ${clock(began)}` : `${clock(began)} to ${clock(ended)}`}${times}`;
}

function subjectKey({ subject }) {
  const [[kind, id]] = Object.entries(subject);
  return `${kind} ${id}`;
}
