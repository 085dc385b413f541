// SPDX-License-Identifier: MIT OR Apache-2.0
// The colour of each expression.

const SYNONYMS = {
  neutral: "neutral neutrality calm",
  happiness: "happiness happy joy",
  surprise: "surprise surprised",
  sadness: "sadness sad",
  anger: "anger angry",
  disgust: "disgust disgusted",
  fear: "fear fearful afraid",
  contempt: "contempt contemptuous",
  unknown: "unknown",
};
const NAMES = Object.keys(SYNONYMS);
const NAME_OF_SYNONYM = new Map(
  Object.entries(SYNONYMS).flatMap(([name, synonyms]) => synonyms.split(" ").map((synonym) => [synonym, name])),
);

/** The expression whose colour and face a model's label gets. A label that no synonym matches gets one by its hash. */
export function expressionOf(label) {
  const text = String(label);
  const known = NAME_OF_SYNONYM.get(text.toLowerCase());
  if (known) return known;
  const hash = [...text].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 65521, 0);
  return NAMES[hash % 7 + 1];
}

/** A map from each label to its expression. Labels that no synonym matches get the expressions that no other one has. */
export function expressionsOf(labels) {
  const known = labels.map((label) => NAME_OF_SYNONYM.get(label.toLowerCase()));
  const unused = NAMES.filter((name) => name !== "unknown" && !known.includes(name));
  const spare = unused.length ? unused : NAMES.filter((name) => name !== "unknown");
  let next = 0;
  return new Map(labels.map((label, index) => [label, known[index] ?? spare[next++ % spare.length]]));
}

export const colorOf = (label) => `var(--${expressionOf(label)})`;

/** An element whose style sheet finds the label's colour in `--color`. */
export function coloredElement(tag, label) {
  const element = document.createElement(tag);
  element.style.setProperty("--color", colorOf(label));
  return element;
}
