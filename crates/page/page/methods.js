// SPDX-License-Identifier: MIT OR Apache-2.0
// The button that copies the paragraph for a methods section.

const copy = document.getElementById("copy");
const paragraph = document.getElementById("methods-text");

/** Selects the paragraph, which the browser may refuse to copy by itself. */
function selectParagraph() {
  const range = document.createRange();
  range.selectNodeContents(paragraph);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}

copy.onclick = async () => {
  selectParagraph();
  try {
    await navigator.clipboard.writeText(paragraph.textContent);
    copy.textContent = "Copied";
  } catch {
    copy.textContent = "Press Ctrl+C";
  }
};
