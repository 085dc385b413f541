// SPDX-License-Identifier: MIT OR Apache-2.0
// The text shown for each label, in the viewer's language.

import { loadPreference, savePreference } from "./preferences.js";

const LANGUAGES = {
  en: { name: "English" },
  de: {
    name: "Deutsch", neutral: "neutral", happiness: "Freude", surprise: "Überraschung", sadness: "Trauer",
    anger: "Ärger", disgust: "Ekel", fear: "Angst", contempt: "Verachtung", unknown: "unbekannt",
  },
  es: {
    name: "Español", neutral: "neutral", happiness: "alegría", surprise: "sorpresa", sadness: "tristeza",
    anger: "enfado", disgust: "asco", fear: "miedo", contempt: "desprecio", unknown: "desconocida",
  },
  fr: {
    name: "Français", neutral: "neutre", happiness: "joie", surprise: "surprise", sadness: "tristesse",
    anger: "colère", disgust: "dégoût", fear: "peur", contempt: "mépris", unknown: "inconnue",
  },
  it: {
    name: "Italiano", neutral: "neutrale", happiness: "gioia", surprise: "sorpresa", sadness: "tristezza",
    anger: "rabbia", disgust: "disgusto", fear: "paura", contempt: "disprezzo", unknown: "sconosciuta",
  },
  pt: {
    name: "Português", neutral: "neutra", happiness: "alegria", surprise: "surpresa", sadness: "tristeza",
    anger: "raiva", disgust: "nojo", fear: "medo", contempt: "desprezo", unknown: "desconhecida",
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
