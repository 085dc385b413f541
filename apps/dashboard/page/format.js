// SPDX-License-Identifier: MIT OR Apache-2.0

const twoDigits = (number) => String(number).padStart(2, "0");

export const formatPercent = (share) => `${Math.round(share * 100)} %`;

export const formatFaces = (count) => count === 1 ? "1 face" : `${count} faces`;

/** A duration in milliseconds as `m:ss` or `h:mm:ss`. */
export function formatDuration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = twoDigits(seconds % 60);
  return hours ? `${hours}:${twoDigits(minutes)}:${tail}` : `${minutes}:${tail}`;
}

/** The local time of day for a number of seconds since 1970. */
export function formatTime(seconds, { withSeconds }) {
  const time = new Date(seconds * 1000);
  const minutes = `${twoDigits(time.getHours())}:${twoDigits(time.getMinutes())}`;
  return withSeconds ? `${minutes}:${twoDigits(time.getSeconds())}` : minutes;
}
