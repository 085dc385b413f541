// SPDX-License-Identifier: MIT OR Apache-2.0
// The text shown for each label, in the viewer's language.

import { isUncertain, secondClass } from "./certainty.js";
import { loadPreference, savePreference } from "./preferences.js";

const LANGUAGES = {
  en: { name: "English" },
  de: {
    name: "Deutsch", neutral: "neutral", happiness: "Freude", surprise: "Überraschung", sadness: "Trauer",
    anger: "Ärger", disgust: "Ekel", fear: "Angst", contempt: "Verachtung", unknown: "unbekannt", or: "oder",
  },
  es: {
    name: "Español", neutral: "neutral", happiness: "alegría", surprise: "sorpresa", sadness: "tristeza",
    anger: "enfado", disgust: "asco", fear: "miedo", contempt: "desprecio", unknown: "desconocida", or: "o",
  },
  fr: {
    name: "Français", neutral: "neutre", happiness: "joie", surprise: "surprise", sadness: "tristesse",
    anger: "colère", disgust: "dégoût", fear: "peur", contempt: "mépris", unknown: "inconnue", or: "ou",
  },
  it: {
    name: "Italiano", neutral: "neutrale", happiness: "gioia", surprise: "sorpresa", sadness: "tristezza",
    anger: "rabbia", disgust: "disgusto", fear: "paura", contempt: "disprezzo", unknown: "sconosciuta", or: "o",
  },
  pt: {
    name: "Português", neutral: "neutra", happiness: "alegria", surprise: "surpresa", sadness: "tristeza",
    anger: "raiva", disgust: "nojo", fear: "medo", contempt: "desprezo", unknown: "desconhecida", or: "ou",
  },
};

const saved = loadPreference("language");
const preferred = () => Object.keys(LANGUAGES).find((code) => navigator.language.startsWith(code)) ?? "en";
let language = LANGUAGES[saved] ? saved : preferred();
/** Text from the server's `--labels`. */
let serverTexts = {};

/** The text for a label: translated, else as the server spells it, else the label itself. */
export function labelText(label) {
  return (language !== "en" && LANGUAGES[language][label]) || serverTexts[label] || label;
}

/** The text for a face with the scores of `labels`: an uncertain label comes with the second class, as in "surprise or fear". */
export function expressionText(face, labels) {
  const second = isTentative(face) && face.label !== "unknown" ? secondClass(face.label, labels, face.scores) : null;
  return second ? `${labelText(face.label)} ${labelText("or")} ${labelText(second)}` : labelText(face.label);
}

/** True if the label of a face is uncertain, so that it is shown in a quieter tone. */
export const isTentative = (face) => Boolean(face.label) && isUncertain(face.confidence);

/** Reads `label=text,label=text`, as in `--labels`. */
export function setServerLabels(map) {
  const pairs = map.split(",").map((pair) => pair.split("=").map((part) => part.trim()));
  serverTexts = Object.fromEntries(pairs.filter((pair) => pair.length === 2));
}

export function bindLanguageMenu(select) {
  select.append(...Object.entries(LANGUAGES).map(([code, { name }]) => new Option(name, code)));
  select.value = language;
  select.onchange = () => {
    language = select.value;
    savePreference("language", language);
  };
}
