// SPDX-License-Identifier: MIT OR Apache-2.0
// Numbers and times as text. Times are in nanoseconds.

export const SECOND = 1e9;

const twoDigits = (number) => String(number).padStart(2, "0");

/** 1:02.5, or 1:01:02.5 from an hour on. */
export function clock(ns, digits = 1) {
  const units = Math.round(ns / SECOND * 10 ** digits);
  const seconds = Math.floor(units / 10 ** digits);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = twoDigits(seconds % 60);
  const text = hours ? `${hours}:${twoDigits(minutes)}:${tail}` : `${minutes}:${tail}`;
  return digits ? `${text}.${String(units % 10 ** digits).padStart(digits, "0")}` : text;
}

export function duration(ns) {
  const seconds = ns / SECOND;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return clock(ns, 0) + (seconds >= 3600 ? " h" : " min");
}

export function percent(part, whole) {
  const share = whole ? 100 * part / whole : 0;
  return share > 0 && share < 1 ? "< 1 %" : `${share.toFixed(0)} %`;
}

export const count = (number, singular) => `${number} ${singular}${number === 1 ? "" : "s"}`;
