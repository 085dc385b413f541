// SPDX-License-Identifier: MIT OR Apache-2.0
// The tiles of all sources, as the server lists them.

import { followSources } from "./camera.js";
import { $ } from "./dom.js";
import { cameras } from "./fleet.js";
import { setServerLabels } from "./labels.js";
import { syncClock } from "./server-clock.js";
import { Tile } from "./tile.js";
import { addTile, removeTile } from "./tiles.js";

/** Tiles by the id of their source. */
export const tiles = new Map();

const resizes = new ResizeObserver((entries) => {
  for (const { target } of entries) tiles.get(Number(target.dataset.id))?.timeline.draw();
});

/** Adds, updates and removes tiles so that they match the server's list. */
export function showList(list) {
  syncClock(list.now);
  setServerLabels(list.labels);
  removeTilesExcept(new Set(list.sources.map(({ id }) => id)));
  for (const source of list.sources) {
    const tile = tiles.get(source.id);
    if (tile) tile.update(source);
    else add(source);
  }
  $("#empty").hidden = list.sources.length > 0 || list.has_fleet;
  $("#add").disabled = list.sources.length >= list.max_sources;
  followSources(list.sources);
}

export function redrawTimelines() {
  for (const tile of [...tiles.values(), ...cameras.values()]) tile.timeline.draw();
}

function add(source) {
  const tile = new Tile(source);
  tiles.set(source.id, tile);
  $("#own").append(tile.root);
  resizes.observe(tile.root);
  addTile(tile);
}

function removeTilesExcept(ids) {
  for (const [id, tile] of tiles) {
    if (ids.has(id)) continue;
    tiles.delete(id);
    removeTile(tile);
    tile.remove();
  }
}
