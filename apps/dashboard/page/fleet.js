// SPDX-License-Identifier: MIT OR Apache-2.0
// The cameras of the fleet, as the server hears of them from brokers.

import { CameraTile } from "./camera-tile.js";
import { $, $$, setText } from "./dom.js";
import { addTile, removeTile } from "./tiles.js";
import { ZOOMS } from "./timeline.js";

const TICK_MS = 1000;

/** Tiles by the id of their camera. */
export const cameras = new Map();
let brokers = [];

/** Takes the cameras that changed, and the ids of all. */
export function showFleet(fleet) {
  brokers = fleet.brokers;
  const ids = new Set(fleet.ids);
  for (const id of cameras.keys()) if (!ids.has(id)) remove(id);
  for (const camera of fleet.cameras) {
    if (!cameras.has(camera.id)) add(camera);
    cameras.get(camera.id).update(camera);
  }
  for (const tile of cameras.values()) tile.showBroker(brokers[tile.camera.broker]?.failure);
  showSummary(fleet.max_cameras);
}

export function forgetFleet() {
  for (const id of [...cameras.keys()]) remove(id);
}

/** Lets the buttons set the length of all timelines, and updates what is in view regularly. */
export function bindFleet() {
  const zoom = $("#fleet > header .zoom");
  const show = (length) => {
    cameras.forEach((tile) => tile.timeline.show({ length }));
    for (const button of $$("button", zoom)) button.setAttribute("aria-pressed", String(Number(button.dataset.length) === length));
    zoom.dataset.length = length;
  };
  for (const [length, name] of ZOOMS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.dataset.length = length;
    button.onclick = () => show(length);
    zoom.append(button);
  }
  show(ZOOMS[1][0]);
  setInterval(() => cameras.forEach((tile) => tile.tick()), TICK_MS);
}

const inView = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) cameras.get(Number(target.dataset.id))?.setInView(isIntersecting);
});

function add(camera) {
  const tile = new CameraTile(camera);
  cameras.set(camera.id, tile);
  tile.timeline.show({ length: Number($("#fleet > header .zoom").dataset.length) });
  const list = $("#fleet .grid");
  // Sorted by name, so that a camera is found and keeps its place.
  const next = [...list.children].find((other) => other.dataset.name.localeCompare(camera.name, undefined, { numeric: true }) > 0);
  list.insertBefore(tile.root, next ?? null);
  inView.observe(tile.root);
  addTile(tile);
}

function remove(id) {
  const tile = cameras.get(id);
  inView.unobserve(tile.root);
  cameras.delete(id);
  removeTile(tile);
  tile.remove();
}

function showSummary(maxCameras) {
  $("#fleet").hidden = !brokers.length;
  const count = (status) => [...cameras.values()].filter(({ camera }) => camera.status === status).length;
  const [online, offline] = [count("online"), count("offline")];
  const parts = [`${online} online`, offline && `${offline} offline`, maxCameras && `the first ${maxCameras} are shown`];
  setText($("#fleet-counts"), cameras.size ? parts.filter(Boolean).join(", ") : "no camera has published yet");
  const failures = brokers.filter(({ failure }) => failure);
  setText($("#brokers"), failures.map(({ address, failure }) => `${address}: no connection (${failure})`).join("\n"));
}
