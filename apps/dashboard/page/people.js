// SPDX-License-Identifier: MIT OR Apache-2.0
// The cards of the faces in a frame, one for each tracked face.

import { $, fromTemplate, setText } from "./dom.js";
import { createFace, drawFace } from "./drawn-face.js";
import { colorOf, coloredElement } from "./expressions.js";
import { formatDuration, formatPercent } from "./format.js";
import { drawHead } from "./head.js";
import { expressionText, isTentative, labelText } from "./labels.js";

/** How long the card of a lost face stays, faded, in milliseconds. */
const FADE_MS = 1200;

export class People {
  /** `command` is called with the id of a face and what its card asks for: `calibrate` or `reset-baseline`. */
  constructor(section, command) {
    this.command = command;
    this.list = $("ul", section);
    this.message = $(".no-faces", section);
    this.cards = new Map(); // by face id
  }

  /** Shows the faces of a reading; `faces` is null if the server sends totals only. */
  show({ faces, labels, at }) {
    const present = new Set();
    for (const face of faces ?? []) {
      present.add(face.id);
      const known = this.cards.get(face.id);
      fillCard(known && !known.dataset.gone ? known : this.place(face.id, known), face, labels, at);
    }
    for (const [id, card] of this.cards) {
      if (present.has(id)) continue;
      if (!faces || at - Number(card.dataset.seen) >= FADE_MS) {
        this.remove(id, card);
      } else if (!card.dataset.gone) {
        // Faces that have left are behind those that are present.
        card.dataset.gone = "yes";
        this.list.append(card);
      }
    }
    setText(this.message, !faces ? "Individual faces are hidden" : this.cards.size ? "" : "No faces in view");
  }

  /** Shows that there are no faces. Returns whether there were cards before. */
  clear() {
    const hadCards = this.cards.size > 0;
    this.cards.forEach((card, id) => this.remove(id, card));
    setText(this.message, "No faces in view");
    return hadCards;
  }

  /** Puts a card, or a new one, among those of present faces, which are sorted by id. */
  place(id, card = fromTemplate("person")) {
    card.dataset.id = id;
    $(".calibrate", card).onclick = () => this.command(id, "calibrate");
    $(".reset", card).onclick = () => this.command(id, "reset-baseline");
    this.cards.set(id, card);
    const next = [...this.list.children].find((other) => other !== card && (other.dataset.gone || Number(other.dataset.id) > id));
    this.list.insertBefore(card, next ?? null);
    return card;
  }

  remove(id, card) {
    card.remove();
    this.cards.delete(id);
  }
}

function fillCard(card, face, labels, at) {
  card.dataset.seen = at;
  delete card.dataset.gone;
  const label = face.label ?? "unknown";
  card.style.setProperty("--color", colorOf(label));
  drawFace($(".face", card), label);
  setText($("b", card), face.label ? expressionText(face, labels) : "…");
  card.classList.toggle("tentative", isTentative(face));
  setText($(".id", card), `#${face.id}`);
  setText($(".percent", card), face.label ? formatPercent(face.confidence) : "");
  setText($(".since", card), `for ${formatDuration(at - face.since)}`);
  fillBars($(".bars", card), face.scores, labels);
  fillHead(card, face.head);
  fillRest(card, face.baseline);
}

/** Shows how sure the face's own baseline is; it is null if scores are relative to all people. */
function fillRest(card, baseline) {
  const has = typeof baseline === "number";
  card.toggleAttribute("data-baseline", has);
  if (!has) return;
  setText($(".sure", card), `baseline ${formatPercent(baseline)}`);
  $(".sure", card).title = "How sure it is what this face looks like at rest. That is forgotten when the face leaves.";
}

/** Shows where the head is turned; `head` is null if its pose is not known. */
function fillHead(card, head) {
  card.toggleAttribute("data-pose", Boolean(head));
  if (!head) return;
  const drawing = $(".head", card);
  drawHead(drawing, head.pose, head.lids);
  drawing.toggleAttribute("data-away", !head.facing);
  const [yaw, pitch, roll] = head.pose.map((angle) => `${angle.toFixed(0)}°`);
  drawing.setAttribute("aria-label", `${head.facing ? "Faces the camera" : "Turned away"}: yaw ${yaw}, pitch ${pitch}, roll ${roll}`);
  setText($(".facing", card), `facing ${formatPercent(head.share)}`);
  $(".facing", card).title = "Share of the time in which the head was turned to the camera. This is a direction, not attention.";
  setText($(".blinks", card), head.blinks === null ? "" : `${head.blinks.toFixed(0)} blinks/min`);
}

function fillBars(bars, scores, labels) {
  if (bars.childElementCount !== labels.length) {
    bars.replaceChildren(...labels.map((label) => {
      const bar = coloredElement("div", label);
      bar.append(document.createElement("i"), createFace(label));
      return bar;
    }));
  }
  labels.forEach((label, index) => {
    const bar = bars.children[index];
    bar.firstElementChild.style.setProperty("--part", `${((scores[index] ?? 0) * 100).toFixed(1)}%`);
    bar.title = labelText(label);
  });
}
