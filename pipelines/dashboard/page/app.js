// SPDX-License-Identifier: MIT OR Apache-2.0
"use strict";

// Words ---------------------------------------------------------------------------------------------------------------

const LANGUAGES = {
  en: { name: "English" },
  de: { name: "Deutsch", neutral: "neutral", happiness: "Freude", surprise: "Überraschung", sadness: "Trauer", anger: "Ärger", disgust: "Ekel", fear: "Angst", contempt: "Verachtung", unknown: "unbekannt" },
  es: { name: "Español", neutral: "neutral", happiness: "alegría", surprise: "sorpresa", sadness: "tristeza", anger: "enfado", disgust: "asco", fear: "miedo", contempt: "desprecio", unknown: "desconocida" },
  fr: { name: "Français", neutral: "neutre", happiness: "joie", surprise: "surprise", sadness: "tristesse", anger: "colère", disgust: "dégoût", fear: "peur", contempt: "mépris", unknown: "inconnue" },
  it: { name: "Italiano", neutral: "neutrale", happiness: "gioia", surprise: "sorpresa", sadness: "tristezza", anger: "rabbia", disgust: "disgusto", fear: "paura", contempt: "disprezzo", unknown: "sconosciuta" },
  pt: { name: "Português", neutral: "neutra", happiness: "alegria", surprise: "surpresa", sadness: "tristeza", anger: "raiva", disgust: "nojo", fear: "medo", contempt: "desprezo", unknown: "desconhecida" },
};
const STATES = { connecting: "connecting", waiting: "waiting for pictures", playing: "live", failed: "failed", stopped: "stopped" };
const ZOOMS = [[120, "2 min"], [600, "10 min"], [3600, "1 h"], [21600, "6 h"], [86400, "24 h"]];

let served = {}; // labels that the server was given words for
let language = LANGUAGES[stored("language")] ? stored("language") : Object.keys(LANGUAGES).find((code) => navigator.language.startsWith(code)) ?? "en";

/** The word for a label, in the language of choice, else as the server says it, else the label itself. */
function word(label) {
  return (language !== "en" && LANGUAGES[language][label]) || served[label] || label;
}

function stored(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(`dashboard-${key}`);
    localStorage.setItem(`dashboard-${key}`, value);
  } catch { /* a browser that keeps nothing */ }
  return null;
}

// Expressions ---------------------------------------------------------------------------------------------------------

const KNOWN = {
  neutral: "neutral neutrality calm", happiness: "happiness happy joy", surprise: "surprise surprised", sadness: "sadness sad",
  anger: "anger angry", disgust: "disgust disgusted", fear: "fear fearful afraid", contempt: "contempt contemptuous", unknown: "unknown",
};
const EXPRESSION = new Map(Object.entries(KNOWN).flatMap(([name, words]) => words.split(" ").map((word) => [word, name])));

/** One of the expressions that have a colour and a face, for whatever a model calls it. */
function expression(label) {
  const known = EXPRESSION.get(String(label).toLowerCase());
  if (known) return known;
  const names = Object.keys(KNOWN);
  return names[[...String(label)].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 65521, 0) % 7 + 1];
}

const color = (label) => `var(--${expression(label)})`;
const SVG = "http://www.w3.org/2000/svg";
const DARK = "#14181c";
/** The faces that emotionoverlay draws, in a disc of radius 1: strokes, filled paths, and white grounds of eyes. */
const FEATURES = {
  neutral: { fill: [dot(-.34, -.16, .13, .15), dot(.34, -.16, .13, .15)], line: ["M-.36.42H.36"] },
  happiness: { line: ["M-.54-.1Q-.34-.44-.14-.1", "M.14-.1Q.34-.44.54-.1"], fill: ["M-.54.16Q0 1.24.54.16Z"] },
  surprise: { line: ["M-.56-.5Q-.36-.7-.16-.54", "M.16-.54Q.36-.7.56-.5"], fill: [dot(-.34, -.16, .15, .19), dot(.34, -.16, .15, .19), dot(0, .48, .21, .29)] },
  sadness: { line: ["M-.6-.32L-.2-.54", "M.6-.32L.2-.54", "M-.4.6Q0 .14.4.6"], fill: [dot(-.34, -.08, .12, .14), dot(.34, -.08, .12, .14)] },
  anger: { line: ["M-.62-.46L-.14-.24", "M.62-.46L.14-.24", "M-.44.62L-.34.52H.34L.44.62"], fill: [dot(-.34, -.04, .13, .13), dot(.34, -.04, .13, .13)] },
  disgust: { line: ["M-.58-.34L-.2-.16L-.58 0", "M.58-.34L.2-.16L.58 0", "M-.5.56Q-.28.2-.06.46Q.2.76.48.36"], fill: [] },
  fear: { eye: [dot(-.35, -.14, .25, .27), dot(.35, -.14, .25, .27)], line: ["M-.66-.46L-.3-.66", "M.66-.46L.3-.66"], fill: [dot(-.35, -.1, .1, .11), dot(.35, -.1, .1, .11), "M-.5.72Q0-.1.5.72Z"] },
  contempt: { line: ["M-.56-.24H-.14", "M.14-.3L.56-.44", "M-.38.5Q.26.56.46.24"], fill: [dot(-.3, -.12, .12, .11), dot(.38, -.14, .12, .11)] },
  unknown: { line: [], fill: [] },
};

function dot(x, y, rx, ry) {
  return `M${x - rx} ${y}a${rx} ${ry} 0 1 0 ${2 * rx} 0a${rx} ${ry} 0 1 0 ${-2 * rx} 0Z`;
}

function drawFace(svg, label) {
  const name = expression(label);
  if (svg.dataset.name === name) return;
  svg.dataset.name = name;
  const features = FEATURES[name];
  const ink = name === "sadness" ? "#fff" : DARK;
  const add = (tag, attributes) => {
    const part = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    svg.append(part);
    return part;
  };
  svg.replaceChildren();
  add("circle", { r: 1 }).style.fill = color(name);
  for (const d of features.eye ?? []) add("path", { d, fill: "#fff" });
  for (const d of features.fill) add("path", { d, fill: ink });
  for (const d of features.line) add("path", { d, fill: "none", stroke: ink, "stroke-width": .15, "stroke-linecap": "round", "stroke-linejoin": "round" });
}

// Small things --------------------------------------------------------------------------------------------------------

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const percent = (part) => `${Math.round(part * 100)} %`;
const two = (number) => String(number).padStart(2, "0");

/** Text that is only touched when it changes, so that screen readers and layout stay quiet. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

function clock(seconds, withSeconds) {
  const time = new Date(seconds * 1000);
  return `${two(time.getHours())}:${two(time.getMinutes())}${withSeconds ? `:${two(time.getSeconds())}` : ""}`;
}

function socket(path) {
  return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/${path}`);
}

/** Asks the server; what it refuses is an error with its own words. */
async function ask(path, { method = "GET", body } = {}) {
  const headers = body ? { "content-type": "application/json" } : {};
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? `${answer.status} ${answer.statusText}`);
  return answer.status === 204 ? null : answer.json();
}

/** Keeps a WebSocket open: begins again after a while whenever it closes, until it is told to stop. */
function keepOpen(path, { binary, text, closed }) {
  let pause = 500, current, timer, stopped = false;
  const open = () => {
    current = socket(path);
    current.binaryType = "blob";
    current.onmessage = ({ data }) => {
      pause = 500;
      if (typeof data === "string") text(JSON.parse(data));
      else binary(data, current);
    };
    current.onclose = () => {
      if (stopped) return;
      closed?.();
      timer = setTimeout(open, pause);
      pause = Math.min(pause * 2, 8000);
    };
  };
  open();
  return () => { stopped = true; clearTimeout(timer); current.close(); };
}

// One source ----------------------------------------------------------------------------------------------------------

class Tile {
  constructor(source) {
    this.id = source.id;
    this.root = $("#tile").content.firstElementChild.cloneNode(true);
    this.root.dataset.id = source.id;
    this.people = new Map();
    this.canvas = $(".picture", this.root);
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.past = new Past(this);
    this.spoken = { text: "", at: 0 };
    this.bind();
    this.update(source);
    this.close = keepOpen(this.path("watch"), {
      binary: (blob, from) => this.picture(blob, from),
      text: (reading) => this.read(reading),
    });
    this.timer = setInterval(() => this.tick(), 500);
  }

  path(rest) {
    return `api/sources/${this.id}/${rest}`;
  }

  $(selector) {
    return $(selector, this.root);
  }

  bind() {
    for (const link of $$("[data-file]", this.root)) link.href = this.path(link.dataset.file);
    this.$(".power").onclick = () => this.act(this.source.state === "stopped" ? "start" : "stop");
    for (const button of $$(".switch", this.root)) {
      button.onclick = () => this.act("switches", { ...this.source.switches, [button.dataset.switch]: button.getAttribute("aria-checked") !== "true" });
    }
    const remove = this.$(".remove");
    remove.onclick = () => {
      if (remove.dataset.sure) return this.act("", undefined, "DELETE");
      remove.dataset.sure = "yes";
      say(remove, "Really remove?");
      setTimeout(() => { delete remove.dataset.sure; say(remove, "Remove"); }, 4000);
    };
    const menu = this.$(".menu");
    menu.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menu.open) { menu.open = false; $("summary", menu).focus(); }
    });
    menu.addEventListener("focusout", (event) => { if (!menu.contains(event.relatedTarget) && event.relatedTarget) menu.open = false; });
    document.addEventListener("click", this.outside = (event) => { if (!menu.contains(event.target) || event.target.matches("a")) menu.open = false; });
  }

  async act(what, body, method = "POST") {
    try {
      await ask(this.path(what).replace(/\/$/, ""), { method, body });
      this.warn("");
    } catch (error) {
      this.warn(error.message);
    }
  }

  warn(text) {
    this.failure = text;
    const warning = this.$(".warning");
    const recording = this.source.recording_error ? `Not recorded: ${this.source.recording_error}` : "";
    say(warning, text || recording);
    warning.hidden = !warning.textContent;
  }

  /** Takes what the list says. */
  update(source) {
    this.source = source;
    const { root } = this;
    root.dataset.state = source.state;
    root.setAttribute("aria-label", source.name);
    say(this.$("h2"), source.name);
    this.$("h2").title = source.name;
    say(this.$(".state .word"), STATES[source.state] ?? source.state);
    say(this.$(".power"), source.state === "stopped" ? "Start" : "Stop");
    for (const button of $$(".switch", root)) button.setAttribute("aria-checked", String(source.switches[button.dataset.switch]));
    this.$('[data-switch="blur"]').hidden = !page.can_blur;
    this.$("[data-report]").hidden = !page.can_report;
    for (const item of $$("[data-faces]", root)) item.hidden = source.switches.aggregate_only;
    if (source.state !== "playing") { say(this.$(".fps"), ""); say(this.$(".latency"), ""); }
    this.warn(this.failure ?? "");
    this.notice();
  }

  notice() {
    const { state, reason, retry_at, attempts } = this.source;
    const notice = this.$(".notice");
    const left = Math.ceil((retry_at - page.time()) / 1000);
    const words = {
      playing: [],
      connecting: ["Connecting …"],
      waiting: ["Waiting for the browser’s camera", "It is off, or its page was closed."],
      stopped: ["Stopped"],
      failed: [reason, left > 0 ? `Attempt ${attempts + 1} in ${left} s` : "Trying again …"],
    }[state] ?? [];
    notice.hidden = words.length === 0;
    say($("p", notice), words[0] ?? "");
    say($("small", notice), words[1] ?? "");
  }

  async picture(blob, from) {
    try {
      const image = await createImageBitmap(blob);
      const { canvas } = this;
      if (canvas.width !== image.width || canvas.height !== image.height) {
        [canvas.width, canvas.height] = [image.width, image.height];
        this.$(".stage").style.aspectRatio = `${image.width} / ${image.height}`;
      }
      this.pen.drawImage(image, 0, 0);
      image.close();
    } catch { /* a picture that was cut off; the next one is on its way */ }
    if (from.readyState === WebSocket.OPEN) from.send("next");
  }

  /** Takes what is known of the newest frame. */
  read(reading) {
    this.reading = reading;
    page.hear(reading.at);
    say(this.$(".fps"), `${reading.fps.toFixed(reading.fps < 10 ? 1 : 0)} fps`);
    say(this.$(".latency"), `${reading.latency} ms`);
    this.showRoom(reading);
    this.showPeople(reading);
    this.speak(reading);
  }

  showRoom({ room, labels }) {
    const { faces, scores } = room;
    say(this.$(".count"), faces === 1 ? "1 face" : `${faces} faces`);
    const [stack, legend] = [this.$(".stack"), this.$(".legend")];
    if (legend.childElementCount !== labels.length) {
      stack.replaceChildren(...labels.map((label) => colored("i", label)));
      legend.replaceChildren(...labels.map((label) => {
        const item = colored("li", label);
        item.append(document.createElement("span"), document.createElement("b"));
        return item;
      }));
    }
    const top = scores ? scores.indexOf(Math.max(...scores)) : -1;
    labels.forEach((label, index) => {
      stack.children[index].style.width = `${(scores?.[index] ?? 0) * 100}%`;
      const item = legend.children[index];
      item.toggleAttribute("data-top", index === top);
      say(item.firstElementChild, word(label));
      say(item.lastElementChild, scores ? percent(scores[index]) : "–");
    });
  }

  showPeople({ faces, labels, at }) {
    const list = this.$(".people ul");
    const seen = new Set();
    for (const face of faces ?? []) {
      seen.add(face.id);
      let card = this.people.get(face.id);
      if (!card) {
        card = $("#person").content.firstElementChild.cloneNode(true);
        card.dataset.id = face.id;
        this.people.set(face.id, card);
        // Who comes back stands where they stood: cards keep the order of ids.
        list.insertBefore(card, [...list.children].find((other) => Number(other.dataset.id) > face.id) ?? null);
      }
      this.showPerson(card, face, labels, at);
    }
    for (const [id, card] of this.people) {
      if (seen.has(id)) continue;
      if (faces && at - Number(card.dataset.seen) < 1200) card.dataset.gone = "yes";
      else { card.remove(); this.people.delete(id); }
    }
    say(this.$(".nobody"), !faces ? "Only the room is shown" : this.people.size ? "" : "Nobody to be seen");
  }

  showPerson(card, face, labels, at) {
    card.dataset.seen = at;
    delete card.dataset.gone;
    const label = face.label ?? "unknown";
    card.style.setProperty("--color", color(label));
    drawFace($(".face", card), label);
    say($("b", card), face.label ? word(label) : "…");
    say($(".id", card), `#${face.id}`);
    say($(".percent", card), face.label ? percent(face.confidence) : "");
    say($(".since", card), `for ${span(at - face.since)}`);
    const bars = $(".bars", card);
    if (bars.childElementCount !== labels.length) {
      bars.replaceChildren(...labels.map((label) => {
        const bar = colored("div", label);
        const face = document.createElementNS(SVG, "svg");
        face.setAttribute("viewBox", "-1.1 -1.1 2.2 2.2");
        drawFace(face, label);
        bar.append(document.createElement("i"), face);
        return bar;
      }));
    }
    labels.forEach((label, index) => {
      const bar = bars.children[index];
      bar.firstElementChild.style.setProperty("--part", `${((face.scores[index] ?? 0) * 100).toFixed(1)}%`);
      bar.title = word(label);
    });
  }

  /** Tells screen readers what changed, in peace: a sentence in ten seconds. */
  speak({ room, labels }) {
    const top = room.scores ? labels[room.scores.indexOf(Math.max(...room.scores))] : null;
    const people = room.faces === 1 ? "1 face" : `${room.faces} faces`;
    const text = `${this.source.name}: ${people}${top ? `, mostly ${word(top)}` : ""}`;
    this.canvas.setAttribute("aria-label", text);
    if (text === this.spoken.text || Date.now() - this.spoken.at < 10000) return;
    this.spoken = { text, at: Date.now() };
    say(this.$(".summary"), text);
  }

  tick() {
    if (this.source.state === "failed") this.notice();
    const stale = !this.reading || page.time() - this.reading.at > 2500;
    if (stale && this.people.size) {
      this.people.forEach((card) => card.remove());
      this.people.clear();
      this.showRoom({ room: { faces: 0, scores: null }, labels: this.reading.labels });
    }
    if (stale) say(this.$(".nobody"), "Nobody to be seen");
    this.past.tick();
  }

  remove() {
    this.close();
    clearInterval(this.timer);
    document.removeEventListener("click", this.outside);
    this.root.remove();
  }
}

function colored(tag, label) {
  const element = document.createElement(tag);
  element.style.setProperty("--color", color(label));
  return element;
}

/** The timeline of a source: a stretch of the last day that moves on, or that somebody holds still. */
class Past {
  constructor(tile) {
    this.tile = tile;
    this.canvas = tile.$(".timeline");
    this.pen = this.canvas.getContext("2d");
    this.length = ZOOMS[0][0];
    this.end = null; // null goes with the time
    this.data = { labels: [], points: [], step: 1, oldest: null };
    this.asked = 0;
    this.bind();
  }

  bind() {
    const { canvas, tile } = this;
    for (const [length, name] of ZOOMS) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.dataset.length = length;
      button.onclick = () => this.show({ length });
      tile.$(".zoom").append(button);
    }
    tile.$(".now").onclick = () => this.show({ end: null });
    let held = null;
    canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); held = { x: event.clientX, end: this.until() }; };
    canvas.onpointermove = (event) => {
      const x = event.offsetX / canvas.clientWidth;
      if (held) this.show({ end: held.end - (event.clientX - held.x) / canvas.clientWidth * this.length });
      this.pointer = x;
      this.draw();
    };
    canvas.onpointerup = canvas.onpointercancel = () => { held = null; };
    canvas.onpointerleave = () => { this.pointer = null; this.draw(); };
    canvas.onwheel = (event) => {
      // Only sideways: up and down belong to the page.
      if (Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
      event.preventDefault();
      this.show({ end: this.until() + event.deltaX / canvas.clientWidth * this.length });
    };
    canvas.onkeydown = (event) => {
      const index = ZOOMS.findIndex(([length]) => length === this.length);
      const move = { ArrowLeft: -.25, ArrowRight: .25, PageUp: -1, PageDown: 1 }[event.key];
      if (move) this.show({ end: this.until() + move * this.length });
      else if (event.key === "Home") this.show({ end: (this.data.oldest ?? this.until()) + this.length });
      else if (event.key === "End") this.show({ end: null });
      else if (event.key === "+") this.show({ length: ZOOMS[Math.max(0, index - 1)][0] });
      else if (event.key === "-") this.show({ length: ZOOMS[Math.min(ZOOMS.length - 1, index + 1)][0] });
      else return;
      event.preventDefault();
    };
    this.mark();
  }

  until() {
    return this.end ?? page.time() / 1000;
  }

  /** Goes to another stretch; whoever comes to the present stays with it. */
  show({ length = this.length, end = this.end }) {
    const now = page.time() / 1000;
    if (end !== null) end = Math.max(end, (this.data.oldest ?? now - length) + Math.min(length, 5));
    this.length = length;
    this.end = end === null || end >= now - 1 ? null : end;
    this.mark();
    this.draw();
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.fetch(), 60);
  }

  mark() {
    for (const button of $$("button", this.tile.$(".zoom"))) button.setAttribute("aria-pressed", String(Number(button.dataset.length) === this.length));
    this.tile.$(".now").hidden = this.end === null;
  }

  tick() {
    const every = Math.max(1000, this.length / ZOOMS[0][0] * 1000);
    if (Date.now() - this.asked >= Math.min(every, 15000) && !document.hidden && (this.end === null || !this.data.points.length)) this.fetch();
    else if (this.end === null) this.draw();
  }

  async fetch() {
    this.asked = Date.now();
    const to = Math.ceil(this.until()) + 1;
    // More than is seen, so that there is something to see while it is being moved.
    const [from, until] = [Math.floor(to - this.length * 1.5), Math.ceil(to + (this.end === null ? 0 : this.length / 2))];
    try {
      this.data = await ask(this.tile.path(`timeline?from=${Math.max(0, from)}&to=${until}&points=600`));
      this.draw();
    } catch { /* the next one may come through */ }
  }

  draw() {
    const { canvas, pen, data } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const css = (name) => style.getPropertyValue(`--${name}`).trim();
    const until = this.until(), from = until - this.length;
    const x = (at) => (at - from) / this.length * width;
    const foot = height - 1.15 * parseFloat(style.fontSize);
    const colors = data.labels.map((label) => css(expression(label)));
    for (const [at, , scores] of data.points) {
      const [left, right] = [x(at), x(at + data.step)];
      if (!scores || right < 0 || left > width) continue;
      let top = foot;
      scores.forEach((score, index) => {
        const part = score * foot;
        pen.fillStyle = colors[index];
        // A trifle wider than it is, or the page would shine through between two.
        pen.fillRect(left, top - part, right - left + .5, part);
        top -= part;
      });
    }
    this.drawTimes(css, x, from, until, width, height, foot);
    this.tell(from, width, height, foot, css);
  }

  drawTimes(css, x, from, until, width, height, foot) {
    const { pen } = this;
    pen.fillStyle = pen.strokeStyle = css("dim");
    pen.font = `${height - foot - 4}px system-ui, sans-serif`;
    pen.textBaseline = "bottom";
    const step = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600].find((step) => this.length / step <= Math.max(2, width / 90)) ?? 43200;
    const zone = new Date(until * 1000).getTimezoneOffset() * 60;
    for (let at = Math.ceil((from - zone) / step) * step + zone; at < until; at += step) {
      const text = clock(at, step < 60);
      const place = x(at);
      pen.globalAlpha = .35;
      pen.fillRect(place, foot, 1, 4);
      pen.globalAlpha = 1;
      if (place > 2 && place + pen.measureText(text).width + 4 < width) pen.fillText(text, place + 3, height - 1);
    }
  }

  /** In words: what the pointer is at, else the stretch as a whole. */
  tell(from, width, height, foot, css) {
    const { data, pen, canvas } = this;
    const inside = data.points.filter(([at]) => at + data.step > from && at < from + this.length);
    const mostly = (points) => {
      const sums = data.labels.map((_, index) => points.reduce((sum, [, , scores]) => sum + (scores?.[index] ?? 0), 0));
      const total = sums.reduce((a, b) => a + b, 0);
      const top = sums.indexOf(Math.max(...sums));
      return total ? `${word(data.labels[top])} ${percent(sums[top] / total)}` : null;
    };
    const name = ZOOMS.find(([length]) => length === this.length)[1];
    const whole = mostly(inside);
    const stretch = this.end === null ? `last ${name}` : `${name} until ${clock(this.end, true)}`;
    canvas.setAttribute("aria-label", `Timeline, ${stretch}${whole ? `, mostly ${whole}` : ", no face"}. Arrow keys scroll, plus and minus change its length.`);
    let text = whole ? `${stretch}: mostly ${whole}` : stretch;
    if (this.pointer != null) {
      const at = from + this.pointer * this.length;
      const point = inside.find(([start]) => at >= start && at < start + data.step);
      text = `${clock(at, true)}${point ? `  ${point[1].toFixed(point[1] % 1 ? 1 : 0)} faces${mostly([point]) ? `, ${mostly([point])}` : ""}` : ""}`;
      pen.fillStyle = css("ink");
      pen.fillRect(this.pointer * width, 0, 1, foot);
    }
    say(this.tile.$(".readout"), text);
  }
}

// This browser's camera -----------------------------------------------------------------------------------------------

const CAMERA = { video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15, max: 30 } }, audio: false };

const camera = {
  /** Asks for the camera, adds a source for it and sends pictures until it is told to stop. */
  async share(name) {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("Browsers give their camera to pages from this machine or over HTTPS only.");
    const stream = await navigator.mediaDevices.getUserMedia(CAMERA).catch((error) => {
      throw new Error(error.name === "NotAllowedError" ? "The browser was not allowed to use the camera." : `No camera: ${error.message}`);
    });
    try {
      this.stop();
      const { id, key } = await ask("api/sources", { method: "POST", body: { kind: "browser", name } });
      await this.start(stream, id, key);
      this.keep({ id, key });
    } catch (error) {
      stream.getTracks().forEach((track) => track.stop());
      throw error;
    }
  },

  /** Goes on where this tab was before it was loaded anew. */
  async resume({ id, key }) {
    const stream = await navigator.mediaDevices.getUserMedia(CAMERA).catch(() => null);
    if (stream) await this.start(stream, id, key).catch(() => stream.getTracks().forEach((track) => track.stop()));
  },

  /** What this tab has to know to go on; nothing to forget it. */
  keep(known) {
    try {
      if (known) sessionStorage.setItem("dashboard-camera", JSON.stringify(known));
      else sessionStorage.removeItem("dashboard-camera");
    } catch { /* a browser that keeps nothing */ }
  },

  kept() {
    try {
      return JSON.parse(sessionStorage.getItem("dashboard-camera"));
    } catch {
      return null;
    }
  },

  async start(stream, id, key) {
    const [box, video, canvas] = [$("#sharing"), $("#sharing video"), document.createElement("canvas")];
    const pen = canvas.getContext("2d", { alpha: false });
    video.srcObject = stream;
    await video.play();
    let current, stopped = false, flying = 0, encoding = false;
    const open = () => {
      current = socket(`api/sources/${id}/feed?key=${key}`);
      flying = 0;
      current.onmessage = () => { flying = Math.max(0, flying - 1); };
      current.onclose = () => { if (!stopped) setTimeout(() => { if (!stopped) open(); }, 2000); };
    };
    open();
    // The newest picture wins: while two are on their way, or one is being packed, the camera's are left out.
    const send = () => {
      if (stopped) return;
      if (current.readyState === WebSocket.OPEN && flying < 2 && !encoding && video.videoWidth) {
        const shrink = Math.min(1, 1280 / Math.max(video.videoWidth, video.videoHeight));
        [canvas.width, canvas.height] = [Math.round(video.videoWidth * shrink), Math.round(video.videoHeight * shrink)];
        pen.drawImage(video, 0, 0, canvas.width, canvas.height);
        encoding = true;
        canvas.toBlob((blob) => {
          encoding = false;
          if (blob && current.readyState === WebSocket.OPEN) { flying += 1; current.send(blob); }
        }, "image/jpeg", .85);
      }
    };
    const timer = setInterval(send, 1000 / 15);
    this.current = { id };
    this.stop = () => {
      stopped = true;
      clearInterval(timer);
      current.close();
      stream.getTracks().forEach((track) => track.stop());
      video.srcObject = null;
      box.hidden = true;
      this.current = null;
      this.keep(null);
      this.stop = () => {};
    };
    stream.getVideoTracks()[0].onended = () => this.stop();
    $("button", box).onclick = () => this.stop();
    box.hidden = false;
  },

  /** Takes what the list says: a camera is let go of when its source is gone. */
  follow(sources) {
    if (!this.current) {
      const kept = this.kept();
      if (kept && !this.resumed && sources.some(({ id }) => id === kept.id)) this.resume(kept);
      this.resumed = true;
      return;
    }
    const source = sources.find(({ id }) => id === this.current.id);
    if (source) say($("#sharing p span"), `As “${source.name}”.`);
    else if (this.current.listed) this.stop();
    if (source) this.current.listed = true;
  },

  stop() {},
  current: null,
  resumed: false,
};

// The page ------------------------------------------------------------------------------------------------------------

const page = {
  tiles: new Map(),
  can_blur: false,
  can_report: false,
  offset: null,

  /** The server's time in milliseconds since 1970. */
  time() {
    return Date.now() + (this.offset ?? 0);
  },

  /** Takes a time of the server's that was true a moment ago. */
  hear(at) {
    const offset = at - Date.now();
    this.offset = this.offset === null || offset > this.offset ? offset : this.offset + (offset - this.offset) * .02;
  },

  list(list) {
    say($("#connection"), "");
    this.hear(list.now);
    Object.assign(this, { can_blur: list.can_blur, can_report: list.can_report });
    served = Object.fromEntries(list.labels.split(",").map((pair) => pair.split("=").map((part) => part.trim())).filter((pair) => pair.length === 2));
    const ids = new Set(list.sources.map(({ id }) => id));
    for (const [id, tile] of this.tiles) {
      if (ids.has(id)) continue;
      tile.remove();
      this.tiles.delete(id);
    }
    for (const source of list.sources) {
      const tile = this.tiles.get(source.id);
      if (tile) { tile.update(source); continue; }
      const added = new Tile(source);
      this.tiles.set(source.id, added);
      $("#sources").append(added.root);
      sizes.observe(added.root);
    }
    $("#empty").hidden = list.sources.length > 0;
    $("#add").disabled = list.sources.length >= list.max_sources;
    camera.follow(list.sources);
  },
};

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) page.tiles.get(Number(target.dataset.id))?.past.draw();
});

function bindAdding() {
  const dialog = $("#adding");
  const form = $("form", dialog);
  const error = $(".error", dialog);
  const kind = () => form.elements.kind.value;
  const show = () => {
    for (const field of $$("[data-for]", form)) field.hidden = field.dataset.for !== kind();
    say(error, "");
  };
  const fill = (select, choices, none) => {
    select.replaceChildren(...choices.map((choice) => new Option(choice, choice)));
    if (!choices.length) select.append(new Option(none, ""));
  };
  const open = async () => {
    form.reset();
    show();
    dialog.showModal();
    const { cameras, files } = await ask("api/choices").catch(() => ({ cameras: [], files: [] }));
    fill(form.elements.camera, cameras, "No camera is plugged in");
    fill(form.elements.file, files, "No video in the media folder");
  };
  form.onchange = show;
  $("[value=cancel]", form).onclick = () => dialog.close();
  form.onsubmit = async (event) => {
    event.preventDefault();
    const button = $("[type=submit]", form);
    const name = form.elements.name.value;
    button.disabled = true;
    say(error, "");
    try {
      if (kind() === "browser") await camera.share(name);
      else await ask("api/sources", { method: "POST", body: { kind: kind(), address: form.elements[kind()].value, name } });
      dialog.close();
    } catch (failure) {
      say(error, failure.message);
    } finally {
      button.disabled = false;
    }
  };
  for (const button of $$("#add, [data-add]")) button.onclick = open;
}

function bindTools() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const themes = ["auto", "light", "dark"];
  let theme = themes.includes(stored("theme")) ? stored("theme") : "auto";
  const dress = () => {
    document.documentElement.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
    const name = document.createElement("span");
    name.className = "more";
    name.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
    $("#theme").replaceChildren({ auto: "◐", light: "☀", dark: "☾" }[theme], name);
    $("#theme").setAttribute("aria-label", `Colours: ${theme}`);
    page.tiles.forEach((tile) => tile.past.draw());
  };
  dark.onchange = dress;
  $("#theme").onclick = () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    stored("theme", theme);
    dress();
  };
  dress();

  const choice = $("#language");
  choice.append(...Object.entries(LANGUAGES).map(([code, { name }]) => new Option(name, code)));
  choice.value = language;
  choice.onchange = () => stored("language", language = choice.value);

  const wall = $("#wall");
  const hang = (on) => {
    document.documentElement.toggleAttribute("data-wall", on);
    wall.setAttribute("aria-pressed", String(on));
    say(wall, on ? "Leave" : "Wall");
  };
  wall.onclick = async () => {
    const on = wall.getAttribute("aria-pressed") !== "true";
    hang(on);
    await (on ? document.documentElement.requestFullscreen?.() : document.fullscreenElement && document.exitFullscreen())?.catch(() => {});
  };
  document.onfullscreenchange = () => { if (!document.fullscreenElement) hang(false); };
}

drawFace($("#empty .face"), "happiness");
bindTools();
bindAdding();
keepOpen("api/list", { text: (list) => page.list(list), binary() {}, closed: () => say($("#connection"), "No connection, trying again …") });
