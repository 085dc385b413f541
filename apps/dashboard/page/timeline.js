// SPDX-License-Identifier: MIT OR Apache-2.0
// The timeline of a source: a range of the last day that follows the present or is scrolled to.

import { $, $$, setText } from "./dom.js";
import { formatPercent, formatTime } from "./format.js";
import { labelText } from "./labels.js";
import { serverTime } from "./server-clock.js";
import { request } from "./server.js";
import { drawTimeline } from "./timeline-chart.js";

/** The lengths to choose from, in seconds, and their names. */
export const ZOOMS = [[120, "2 min"], [600, "10 min"], [3600, "1 h"], [21600, "6 h"], [86400, "24 h"]];
/** Keys that scroll, and by which share of the range. */
const SCROLL_KEYS = { ArrowLeft: -.25, ArrowRight: .25, PageUp: -1, PageDown: 1 };
const MAX_POINTS = 600;
const MIN_REFRESH_MS = 1000;
const MAX_REFRESH_MS = 15000;
/** Pause after a scroll before points are requested, in milliseconds. */
const SCROLL_PAUSE_MS = 60;

const now = () => serverTime() / 1000;

export class Timeline {
  /**
   * `section` has the canvas and the buttons; `path` is where the server answers with points, of which there are new ones
   * every `refresh` milliseconds.
   */
  constructor(section, path, refresh = MIN_REFRESH_MS) {
    this.minRefresh = refresh;
    this.section = section;
    this.path = path;
    this.canvas = $(".timeline", section);
    this.length = ZOOMS[0][0];
    this.end = null; // seconds since 1970; null follows the present
    this.pointer = null; // share of the width
    this.data = { labels: [], points: [], step: 1, oldest: null };
    this.requestedAt = 0;
    this.bindZoom();
    this.bindPointer();
    this.canvas.onkeydown = (event) => this.onKey(event);
    this.markZoom();
  }

  bindZoom() {
    for (const [length, name] of ZOOMS) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.dataset.length = length;
      button.onclick = () => this.show({ length });
      $(".zoom", this.section).append(button);
    }
    $(".now", this.section).onclick = () => this.show({ end: null });
  }

  bindPointer() {
    const { canvas } = this;
    const seconds = (pixels) => pixels / canvas.clientWidth * this.length;
    let dragged = null;
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      dragged = { x: event.clientX, end: this.until() };
    };
    canvas.onpointermove = (event) => {
      if (dragged) this.show({ end: dragged.end - seconds(event.clientX - dragged.x) });
      this.pointer = event.offsetX / canvas.clientWidth;
      this.draw();
    };
    canvas.onpointerup = canvas.onpointercancel = () => { dragged = null; };
    canvas.onpointerleave = () => {
      this.pointer = null;
      this.draw();
    };
    canvas.onwheel = (event) => {
      // Vertical scrolling belongs to the page.
      if (Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
      event.preventDefault();
      this.show({ end: this.until() + seconds(event.deltaX) });
    };
  }

  onKey(event) {
    const zoom = ZOOMS.findIndex(([length]) => length === this.length);
    const scroll = SCROLL_KEYS[event.key];
    if (scroll) this.show({ end: this.until() + scroll * this.length });
    else if (event.key === "Home") this.show({ end: (this.data.oldest ?? this.until()) + this.length });
    else if (event.key === "End") this.show({ end: null });
    else if (event.key === "+") this.show({ length: ZOOMS[Math.max(0, zoom - 1)][0] });
    else if (event.key === "-") this.show({ length: ZOOMS[Math.min(ZOOMS.length - 1, zoom + 1)][0] });
    else return;
    event.preventDefault();
  }

  until() {
    return this.end ?? now();
  }

  /** Changes the range. A range that ends at the present follows it. */
  show({ length = this.length, end = this.end }) {
    const present = now();
    if (end !== null) end = Math.max(end, (this.data.oldest ?? present - length) + Math.min(length, 5));
    this.length = length;
    this.end = end === null || end >= present - 1 ? null : end;
    this.markZoom();
    this.draw();
    clearTimeout(this.scrollTimer);
    this.scrollTimer = setTimeout(() => this.fetch(), SCROLL_PAUSE_MS);
  }

  markZoom() {
    for (const button of $$("button", $(".zoom", this.section))) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.length) === this.length));
    }
    $(".now", this.section).hidden = this.end === null;
  }

  /** Called regularly; requests new points when they are due. */
  tick() {
    const refresh = Math.min(Math.max(this.minRefresh, this.length / ZOOMS[0][0] * 1000), MAX_REFRESH_MS);
    const isDue = Date.now() - this.requestedAt >= refresh && !document.hidden;
    if (isDue && (this.end === null || !this.data.points.length)) this.fetch();
    else if (this.end === null) this.draw();
  }

  async fetch() {
    this.requestedAt = Date.now();
    const to = Math.ceil(this.until()) + 1;
    // More than the visible range, so that scrolling shows points at once.
    const from = Math.max(0, Math.floor(to - this.length * 1.5));
    const until = Math.ceil(to + (this.end === null ? 0 : this.length / 2));
    try {
      this.data = await request(`${this.path}?from=${from}&to=${until}&points=${MAX_POINTS}`);
      this.section.toggleAttribute("data-empty", this.data.oldest === null);
      this.draw();
    } catch { /* the next request may succeed */ }
  }

  /** Frees the memory of the picture until it is drawn again. */
  release() {
    this.canvas.width = this.canvas.height = 0;
  }

  draw() {
    if (!this.canvas.clientWidth) return;
    const until = this.until(), from = until - this.length;
    drawTimeline(this.canvas, this.data, { from, until, pointer: this.pointer });
    this.describe(from);
  }

  /** Says in words what the pointer is on, or what the whole range shows. */
  describe(from) {
    const { points, step } = this.data;
    const visible = points.filter(([second]) => second + step > from && second < from + this.length);
    const name = ZOOMS.find(([length]) => length === this.length)[1];
    const range = this.end === null ? `last ${name}` : `${name} until ${formatTime(this.end, { withSeconds: true })}`;
    const top = this.topLabel(visible);
    const summary = top ? `, mostly ${top}` : ", no face";
    const hint = "Arrow keys scroll, plus and minus change its length.";
    this.canvas.setAttribute("aria-label", `Timeline, ${range}${summary}. ${hint}`);
    const text = top ? `${range}: mostly ${top}` : range;
    setText($(".readout", this.section), this.pointer === null ? text : this.describePointer(from, visible));
  }

  describePointer(from, visible) {
    const second = from + this.pointer * this.length;
    const time = formatTime(second, { withSeconds: true });
    const point = visible.find(([start]) => second >= start && second < start + this.data.step);
    if (!point) return time;
    const faces = point[1].toFixed(point[1] % 1 ? 1 : 0);
    const top = this.topLabel([point]);
    return `${time}  ${faces} faces${top ? `, ${top}` : ""}`;
  }

  /** The label with the highest mean score over some points, with its share; null if no face was scored. */
  topLabel(points) {
    const { labels } = this.data;
    const sums = labels.map((_, index) => points.reduce((sum, [, , scores]) => sum + (scores?.[index] ?? 0), 0));
    const total = sums.reduce((a, b) => a + b, 0);
    const top = sums.indexOf(Math.max(...sums));
    return total ? `${labelText(labels[top])} ${formatPercent(sums[top] / total)}` : null;
  }
}
