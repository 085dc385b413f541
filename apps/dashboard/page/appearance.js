// SPDX-License-Identifier: MIT OR Apache-2.0
// The colour theme and the wall mode, which hides all controls.

import { $, setText } from "./dom.js";
import { loadPreference, savePreference } from "./preferences.js";

const THEMES = {
  auto: { name: "Auto", symbol: "◐" },
  light: { name: "Light", symbol: "☀" },
  dark: { name: "Dark", symbol: "☾" },
};

/** Makes the button go through the themes; `onChange` is called when colours change. */
export function bindTheme(button, onChange) {
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const saved = loadPreference("theme");
  let theme = Object.hasOwn(THEMES, saved) ? saved : "auto";
  const apply = () => {
    const { name, symbol } = THEMES[theme];
    document.documentElement.dataset.theme = theme === "auto" ? (systemIsDark.matches ? "dark" : "light") : theme;
    const label = document.createElement("span");
    label.className = "more";
    label.textContent = name;
    button.replaceChildren(symbol, label);
    button.setAttribute("aria-label", `Colours: ${theme}`);
    onChange();
  };
  systemIsDark.onchange = apply;
  button.onclick = () => {
    const names = Object.keys(THEMES);
    theme = names[(names.indexOf(theme) + 1) % names.length];
    savePreference("theme", theme);
    apply();
  };
  apply();
}

/** Makes the button enter and leave the wall mode, which fills the screen where the browser allows it. */
export function bindWallMode(button) {
  const root = document.documentElement;
  const apply = (isOn) => {
    root.toggleAttribute("data-wall", isOn);
    button.setAttribute("aria-pressed", String(isOn));
    setText(button, isOn ? "Leave" : "Wall");
  };
  button.onclick = async () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    apply(isOn);
    const change = isOn ? root.requestFullscreen?.() : document.fullscreenElement && document.exitFullscreen();
    await change?.catch(() => {});
  };
  document.onfullscreenchange = () => {
    if (!document.fullscreenElement) apply(false);
  };
}
