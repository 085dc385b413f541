// SPDX-License-Identifier: MIT OR Apache-2.0
// One source: its picture, the faces in it, its timeline and its controls.

import { $, $$, fromTemplate, setText } from "./dom.js";
import { People } from "./people.js";
import { serverTime, syncClock } from "./server-clock.js";
import { keepConnected, request } from "./server.js";
import { bindMenu, bindRemove } from "./tile-controls.js";
import { bindMaximise, hasSeveral } from "./tiles.js";
import { Timeline } from "./timeline.js";
import { describeTotals, showTotals } from "./totals.js";

const STATES = {
  connecting: "connecting", waiting: "waiting for video", playing: "live", failed: "failed", stopped: "stopped",
};
const TICK_MS = 500;
/** The shortest time between two pictures beside other sources, in milliseconds. */
const PICTURE_MS = 60;
/** Faces disappear if no reading arrives for this long, in milliseconds. */
const STALE_MS = 2500;
/** The shortest time between two announcements to screen readers, in milliseconds. */
const ANNOUNCEMENT_MS = 10000;

export class Tile {
  constructor(source) {
    this.id = source.id;
    this.key = `source ${source.name}`;
    this.subject = `source ${source.id}`;
    this.title = source.name;
    this.root = fromTemplate("tile");
    this.root.dataset.id = source.id;
    this.canvas = this.$(".picture");
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.people = new People(this.$(".people"), (face, command) => this.send(`faces/${face}/${command}`));
    this.timeline = new Timeline(this.$(".history"), this.path("timeline"));
    this.askedAt = 0;
    this.announced = { text: "", at: 0 };
    this.error = "";
    this.bind();
    this.update(source);
    this.disconnect = null;
    this.setVisible(true);
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  $(selector) {
    return $(selector, this.root);
  }

  path(rest) {
    return `api/sources/${this.id}/${rest}`;
  }

  bind() {
    for (const link of $$("[data-file]", this.root)) link.href = this.path(link.dataset.file);
    this.$(".power").onclick = () => this.send(this.source.state === "stopped" ? "start" : "stop");
    for (const button of $$(".switch", this.root)) {
      const isOn = () => button.getAttribute("aria-checked") === "true";
      button.onclick = () => this.send("switches", { [button.dataset.switch]: !isOn() });
    }
    for (const select of $$("[data-setting]", this.root)) {
      // An empty value is null: the setting of the model. Others are numbers or names.
      const value = () => select.value === "" ? null : Number.isNaN(Number(select.value)) ? select.value : Number(select.value);
      select.onchange = () => this.send("switches", { [select.dataset.setting]: value() });
    }
    bindMaximise(this, this.$(".maximise"));
    bindRemove(this.$(".remove"), () => this.send("", undefined, "DELETE"));
    this.unbindMenus = $$(".menu", this.root).map(bindMenu);
  }

  /** Pictures and readings are received only while they can be seen. */
  setVisible(isVisible) {
    if (isVisible === (this.disconnect !== null)) return;
    this.disconnect?.();
    this.disconnect = !isVisible ? null : keepConnected(this.path("watch"), {
      onBlob: (blob, socket) => this.showPicture(blob, socket),
      onJson: (reading) => this.showReading(reading),
    });
    this.isVisible = isVisible;
  }

  /** Sends a command for this source; an error is shown in the tile. */
  async send(command, body, method = "POST") {
    try {
      await request(this.path(command).replace(/\/$/, ""), { method, body });
      this.showError("");
    } catch (error) {
      this.showError(error.message);
    }
  }

  showError(text) {
    this.error = text;
    const warning = this.$(".warning");
    const recording = this.source.recording_error ? `Not recorded: ${this.source.recording_error}` : "";
    setText(warning, text || recording);
    warning.hidden = !warning.textContent;
  }

  /** Takes the description of the source from the list. */
  update(source) {
    if (this.source && hidesMore(source.switches, this.source.switches)) this.forget();
    this.source = source;
    const { root } = this;
    root.dataset.state = source.state;
    root.setAttribute("aria-label", source.name);
    setText(this.$("h2"), source.name);
    this.$("h2").title = source.name;
    setText(this.$(".state .word"), STATES[source.state] ?? source.state);
    setText(this.$(".power"), source.state === "stopped" ? "Start" : "Stop");
    for (const button of $$(".switch", root)) {
      button.setAttribute("aria-checked", String(source.switches[button.dataset.switch]));
    }
    for (const select of $$("[data-setting]", root)) showSetting(select, source.switches[select.dataset.setting]);
    for (const item of $$("[data-faces]", root)) item.hidden = source.switches.aggregate_only;
    if (source.state !== "playing") this.showRates("", "");
    this.showError(this.error);
    this.showNotice();
  }

  /** Removes the last picture and its faces, which a switch has hidden: there may be no newer ones. */
  forget() {
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.people.clear();
  }

  showRates(fps, latency) {
    setText(this.$(".fps"), fps);
    setText(this.$(".latency"), latency);
  }

  /** Says over the picture why there is no new one. */
  showNotice() {
    const { state, reason, retry_at, attempts } = this.source;
    const seconds = Math.ceil((retry_at - serverTime()) / 1000);
    const [title = "", detail = ""] = {
      connecting: ["Connecting …"],
      waiting: ["Waiting for the browser’s camera", "It is off, or its page was closed."],
      stopped: ["Stopped"],
      failed: [reason, seconds > 0 ? `Attempt ${attempts + 1} in ${seconds} s` : "Trying again …"],
    }[state] ?? [];
    const notice = this.$(".notice");
    notice.hidden = !(state in STATES) || state === "playing";
    setText($("p", notice), title);
    setText($("small", notice), detail);
  }

  /** Draws a JPEG picture, then asks for the next one. */
  async showPicture(blob, socket) {
    try {
      const image = await createImageBitmap(blob);
      const { canvas } = this;
      if (canvas.width !== image.width || canvas.height !== image.height) {
        [canvas.width, canvas.height] = [image.width, image.height];
        this.$(".stage").style.aspectRatio = `${image.width} / ${image.height}`;
      }
      this.pen.drawImage(image, 0, 0);
      image.close();
    } catch { /* an incomplete picture; the next one replaces it */ }
    // Several sources share the browser's time, of which a camera that it sends needs a part too.
    const pause = hasSeveral() ? this.askedAt + PICTURE_MS - performance.now() : 0;
    if (pause > 0) await new Promise((resolve) => { setTimeout(resolve, pause); });
    this.askedAt = performance.now();
    if (socket.readyState === WebSocket.OPEN) socket.send("next");
  }

  /** Takes the server's reading of the newest frame. */
  showReading(reading) {
    this.reading = reading;
    syncClock(reading.at);
    this.showRates(`${reading.fps.toFixed(reading.fps < 10 ? 1 : 0)} fps`, `${reading.latency} ms`);
    showTotals(this.root, reading.room, reading.labels);
    this.people.show(reading);
    this.announce(`${this.source.name}: ${describeTotals(reading.room, reading.labels)}`);
  }

  /** Tells screen readers what changed, not too often. */
  announce(text) {
    this.canvas.setAttribute("aria-label", text);
    if (text === this.announced.text || Date.now() - this.announced.at < ANNOUNCEMENT_MS) return;
    this.announced = { text, at: Date.now() };
    setText(this.$(".summary"), text);
  }

  tick() {
    if (!this.isVisible) return;
    if (this.source.state === "failed") this.showNotice();
    const isStale = !this.reading || serverTime() - this.reading.at > STALE_MS;
    if (isStale && this.people.clear()) showTotals(this.root, { faces: 0, scores: null }, this.reading.labels);
    this.timeline.tick();
  }

  remove() {
    this.setVisible(false);
    clearInterval(this.timer);
    this.unbindMenus.forEach((unbind) => unbind());
    this.root.remove();
  }
}

/** True if a switch hides what was shown under others. */
function hidesMore(now, before) {
  return (now.blur && !before.blur) || (now.aggregate_only && !before.aggregate_only);
}

/** Selects a value, which another program may have set to one that is not in the list. */
function showSetting(select, value) {
  const text = value === null ? "" : String(value);
  if (![...select.options].some((option) => option.value === text)) select.append(new Option(text, text));
  if (select !== document.activeElement) select.value = text;
}
