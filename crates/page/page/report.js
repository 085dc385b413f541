// SPDX-License-Identifier: MIT OR Apache-2.0
// Draws the records that the page holds.

import { pageOfFaces } from "./faces-page.js";
import { addPlayer, momentsOf } from "./player.js";
import { pageOfSummaries } from "./summaries-page.js";

const part = (id) => document.getElementById(id);

function show({ axis, tiles, overall, shares, comparison: compared, faces }, player) {
  part("tiles").append(...tiles);
  part("overall-words").textContent = overall.words;
  fill("overall", overall);
  fill("shares", shares);
  part("comparison").append(...compared);
  part("faces").append(...faces);
  if (player !== null) addPlayer(player, axis, part("overall-title"));
}

function fill(id, { title, content }) {
  part(`${id}-title`).textContent = title;
  part(id).append(...content);
}

const { faces, summaries, player } = JSON.parse(part("records").textContent);
if (faces) show(pageOfFaces(faces, momentsOf(player)), player);
else if (summaries) show(pageOfSummaries(summaries), player);
// What is measured: the page is complete, and the visible charts are drawn with the next frame.
requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("drawn")));
