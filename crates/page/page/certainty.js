// SPDX-License-Identifier: MIT OR Apache-2.0
// Labels of faces whose best score is low.

/** Score from which a label is shown alone. */
const CERTAIN = .5;

/** True if a label with that score is uncertain: it is shown in a quieter tone, and with the second class. */
export const isUncertain = (score) => score < CERTAIN;

/** The class with the highest score after `label`, as in "surprise or fear"; null if no other one has a score. */
export function secondClass(label, classes, scores) {
  let [second, highest] = [null, 0];
  classes.forEach((name, index) => {
    const score = scores[index] ?? 0;
    if (name !== label && score > highest) [second, highest] = [name, score];
  });
  return second;
}
