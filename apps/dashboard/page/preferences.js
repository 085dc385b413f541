// SPDX-License-Identifier: MIT OR Apache-2.0
// What this browser remembers of a viewer's choices. Browsers may refuse to store anything; then nothing is remembered.

export function loadPreference(name) {
  try {
    return localStorage.getItem(`dashboard-${name}`);
  } catch {
    return null;
  }
}

export function savePreference(name, value) {
  try {
    localStorage.setItem(`dashboard-${name}`, value);
  } catch { /* storage is blocked */ }
}
