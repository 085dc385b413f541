// SPDX-License-Identifier: MIT OR Apache-2.0
// One camera of the fleet: its status, its counts, its timeline and what happened last.

import { $, fromTemplate, setText } from "./dom.js";
import { coloredElement } from "./expressions.js";
import { formatFaces, formatTime } from "./format.js";
import { labelText } from "./labels.js";
import { bindMaximise } from "./tiles.js";
import { serverTime } from "./server-clock.js";
import { Timeline } from "./timeline.js";
import { describeTotals, showTotals } from "./totals.js";

/** Counts are shown until the next ones are this late, in milliseconds. */
const LATENESS_MS = 3000;
const MAX_EVENTS = 6;
/** The server keeps this many seconds in one span. */
const REFRESH_MS = 10000;
const DAY_MS = 86_400_000;
const NO_TOTALS = { faces: 0, scores: null };

export class CameraTile {
  constructor(camera) {
    this.camera = camera;
    this.key = `fleet ${camera.topic}`;
    this.title = camera.name;
    this.subject = `camera ${camera.id}`;
    this.root = fromTemplate("camera");
    this.root.dataset.id = camera.id;
    this.root.dataset.name = camera.name;
    this.root.setAttribute("aria-label", camera.name);
    setText($("h3", this.root), camera.name);
    $("h3", this.root).title = camera.topic;
    this.timeline = new Timeline($(".history", this.root), `api/cameras/${camera.id}/timeline`, REFRESH_MS);
    this.failure = null;
    this.inView = false;
    this.isVisible = true;
    bindMaximise(this, $(".maximise", this.root));
  }

  /** Takes what the server knows of the camera. */
  update(camera) {
    this.camera = camera;
    this.showState();
    this.showTotals();
    this.showEvents();
  }

  /** Takes the reason for which there is no connection to the broker, or null. */
  showBroker(failure) {
    this.failure = failure ?? null;
    this.showState();
  }

  setInView(inView) {
    this.inView = inView;
    if (inView) this.tick();
    else this.timeline.release();
  }

  setVisible(isVisible) {
    this.isVisible = isVisible;
  }

  showState() {
    const { status } = this.camera;
    const states = { online: "playing", offline: "failed", unknown: "connecting" };
    this.root.dataset.status = status;
    this.root.dataset.state = this.failure ? "connecting" : states[status];
    setText($(".state .word", this.root), this.failure ? `${this.statusText()} when last heard` : this.statusText());
  }

  statusText() {
    const { status, since, is_older: isOlder } = this.camera;
    if (status === "offline") return `offline since ${isOlder ? "before " : ""}${formatMoment(since)}`;
    return status === "online" ? "online" : "no status yet";
  }

  showTotals() {
    const { totals } = this.camera;
    const isFresh = totals && serverTime() < totals.until + (totals.until - totals.from) + LATENESS_MS;
    if (!isFresh) {
      showTotals(this.root, NO_TOTALS, totals?.labels ?? []);
      setText($(".count", this.root), this.countText());
      this.root.removeAttribute("aria-description");
      return;
    }
    const faces = Math.round(totals.faces_mean);
    showTotals(this.root, { faces, scores: totals.scores }, totals.labels);
    const seconds = Math.max(1, Math.round((totals.until - totals.from) / 1000));
    $(".count", this.root).title = `Mean ${totals.faces_mean.toFixed(1)}, at most ${formatFaces(totals.faces_max)} in ${seconds} s`;
    this.root.setAttribute("aria-description", describeTotals({ faces, scores: totals.scores }, totals.labels));
  }

  /** What is known of the number of faces without new totals. */
  countText() {
    const { totals, present } = this.camera;
    if (totals) return `no counts since ${formatMoment(totals.until)}`;
    return present === null ? "not counted yet" : formatFaces(present);
  }

  showEvents() {
    const events = this.camera.events.slice(0, MAX_EVENTS);
    const list = $(".events", this.root);
    const shown = JSON.stringify(events);
    if (list.dataset.shown === shown) return;
    list.dataset.shown = shown;
    list.replaceChildren(...events.map(eventItem));
    $(".newest", this.root).toggleAttribute("data-empty", !events.length);
  }

  /** Called regularly; draws only what can be seen. */
  tick() {
    if (!this.inView || !this.isVisible) return;
    this.showTotals();
    this.timeline.tick();
  }

  remove() {
    this.root.remove();
  }
}

function eventItem({ at, type, id, label, active, direction }) {
  const item = coloredElement("li", label ?? "unknown");
  const time = document.createElement("time");
  setText(time, formatMoment(at, true));
  const said = document.createElement("span");
  const expression = label ? labelText(label) : "";
  setText(said, {
    appeared: `face ${id} appeared`,
    expression: `face ${id}: ${expression}`,
    turned: `face ${id} ${active ? "turned" : "is no longer turned"} ${direction}`,
    eyes_closed: `face ${id} ${active ? "closed" : "opened"} its eyes`,
    blink: `face ${id} blinked`,
    speaking: `face ${id} ${active ? "speaks" : "no longer speaks"}`,
    left: `face ${id} left${label ? `, mostly ${expression}` : ""}`,
  }[type]);
  item.append(time, said);
  return item;
}

/** The time of day; with the date if it is more than a day ago. */
function formatMoment(ms, withSeconds = false) {
  const time = formatTime(ms / 1000, { withSeconds });
  return serverTime() - ms < DAY_MS ? time : `${new Date(ms).toLocaleDateString()} ${time}`;
}
