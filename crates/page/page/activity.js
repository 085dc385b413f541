// SPDX-License-Identifier: MIT OR Apache-2.0
// Whether faces face the camera, and how often they blink, if the records have the geometry of faces.

import { timeBy } from "./faces.js";
import { SECOND, percent } from "./text.js";

/** Values of the column `facing`; others say nothing. */
export const [FACING, TURNED] = [1, 2];

export const hasGeometry = (data) => data.facing.length > 0;

/** The share of the time with a known pose in which the faces face the camera; null without such time. */
export function facingShare(data, faces) {
  const times = new Map(timeBy(faces, (row) => data.facing[row] || undefined));
  const [facing, turned] = [times.get(FACING) ?? 0, times.get(TURNED) ?? 0];
  return facing + turned ? facing / (facing + turned) : null;
}

// Eyes have to be watched for so long before a rate is shown.
const MIN_WATCHED = 2 * SECOND;

/** Blinks a minute of the faces; null where eyes were hardly watched, or frames are too far apart to see a blink. */
export function blinkRate(faces) {
  const watched = faces.reduce((sum, face) => sum + face.watched, 0);
  const blinks = faces.reduce((sum, face) => sum + face.blinks, 0);
  return watched >= MIN_WATCHED ? (blinks * 60 * SECOND) / watched : null;
}

export const facingText = (share) => (share === null ? "–" : percent(share, 1));
export const rateText = (rate) => (rate === null ? "–" : rate.toFixed(rate < 9.95 ? 1 : 0));
