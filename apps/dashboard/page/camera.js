// SPDX-License-Identifier: MIT OR Apache-2.0
// This browser's camera as a source. The tab remembers the source, so that a reload continues with it.

import { streamVideo } from "./camera-stream.js";
import { $, setText } from "./dom.js";
import { request } from "./server.js";

const CONSTRAINTS = {
  video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15, max: 30 } },
  audio: false,
};
const STORAGE_KEY = "dashboard-camera";

/** The shared camera: `{ id, isListed, stop }`; null while none is shared. */
let shared = null;
let hasResumed = false;

/** Asks for the camera, adds a source for it and sends pictures until sharing is stopped. */
export async function shareCamera(name) {
  const stream = await openCamera();
  try {
    shared?.stop();
    const { id, key } = await request("api/sources", { method: "POST", body: { kind: "browser", name } });
    await start(stream, id, key);
    remember({ id, key });
  } catch (error) {
    stopTracks(stream);
    throw error;
  }
}

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("Browsers share a camera only with pages from this machine or over HTTPS.");
  }
  return navigator.mediaDevices.getUserMedia(CONSTRAINTS).catch((error) => {
    const isDenied = error.name === "NotAllowedError";
    throw new Error(isDenied ? "The browser denied access to the camera." : `No camera: ${error.message}`);
  });
}

/** Compares the list with what is shared: resumes after a reload, and stops when the source was removed. */
export function followSources(sources) {
  if (!shared) {
    const last = recall();
    if (last && !hasResumed && sources.some(({ id }) => id === last.id)) resume(last);
    hasResumed = true;
    return;
  }
  const source = sources.find(({ id }) => id === shared.id);
  if (source) {
    setText($("#sharing p span"), `As “${source.name}”.`);
    shared.isListed = true;
  } else if (shared.isListed) {
    shared.stop();
  }
}

async function resume({ id, key }) {
  const stream = await navigator.mediaDevices.getUserMedia(CONSTRAINTS).catch(() => null);
  if (stream) await start(stream, id, key).catch(() => stopTracks(stream));
}

async function start(stream, id, key) {
  const [panel, video] = [$("#sharing"), $("#sharing video")];
  video.srcObject = stream;
  await video.play();
  const stopStream = streamVideo(video, `api/sources/${id}/feed?key=${key}`);
  const stop = () => {
    if (shared?.stop !== stop) return;
    stopStream();
    stopTracks(stream);
    video.srcObject = null;
    panel.hidden = true;
    shared = null;
    remember(null);
  };
  shared = { id, isListed: false, stop };
  stream.getVideoTracks()[0].onended = stop;
  $("button", panel).onclick = stop;
  panel.hidden = false;
}

function stopTracks(stream) {
  stream.getTracks().forEach((track) => track.stop());
}

/** Stores the source and its key for this tab, or removes them. */
function remember(source) {
  try {
    if (source) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(source));
    else sessionStorage.removeItem(STORAGE_KEY);
  } catch { /* storage is blocked */ }
}

function recall() {
  try {
    return JSON.parse(sessionStorage.getItem(STORAGE_KEY));
  } catch {
    return null;
  }
}
