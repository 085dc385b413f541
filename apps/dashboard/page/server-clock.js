// SPDX-License-Identifier: MIT OR Apache-2.0
// The server's clock, estimated from the timestamps of its messages. Times are milliseconds since 1970.

/** Share of the difference by which the offset follows a message that took longer to arrive than the fastest. */
const DRIFT = .02;

/** Server time minus this browser's time; null before the first message. */
let offset = null;

export const serverTime = () => Date.now() + (offset ?? 0);

/**
 * Takes the timestamp of a message that has just arrived. The largest difference comes from the fastest message and is
 * used at once; smaller ones are followed slowly, in case a clock is adjusted.
 */
export function syncClock(sentAt) {
  const seen = sentAt - Date.now();
  offset = offset === null || seen > offset ? seen : offset + (seen - offset) * DRIFT;
}
