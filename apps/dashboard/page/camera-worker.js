// SPDX-License-Identifier: MIT OR Apache-2.0
// A worker that encodes the frames of a camera and sends them to the server. Browsers slow down the timers of a page in a
// background tab, and a page that draws other sources is busy; neither delays a worker.

import { openSocket } from "./server.js";

const FRAME_RATE = 15;
const MAX_SIDE = 1280;
const JPEG_QUALITY = .85;
/** Pictures that the server has not acknowledged yet, at most. */
const MAX_IN_FLIGHT = 2;
const RECONNECT_MS = 2000;
const FRAME_MS = 1000 / FRAME_RATE;
/** A frame may be this early, because cameras are not exact. */
const TOLERANCE_MS = 10;

const canvas = new OffscreenCanvas(1, 1);
const pen = canvas.getContext("2d", { alpha: false });
let socket, inFlight = 0, encoding = false, due = 0;

/** The first message has the path of the server and, if the browser has one, the stream of frames. */
onmessage = ({ data: { path, frames, bitmap } }) => {
  if (path) {
    connect(path);
    if (frames) sendFrames(frames);
    else setInterval(() => isReady() && postMessage("frame"), FRAME_MS);
  } else if (bitmap) {
    send(bitmap, bitmap.width, bitmap.height);
  }
};

function connect(path) {
  socket = openSocket(path);
  inFlight = 0;
  socket.onmessage = () => { inFlight = Math.max(0, inFlight - 1); };
  socket.onclose = () => setTimeout(() => connect(path), RECONNECT_MS);
}

/** False while two frames are in flight or one is being encoded, so that the next one sent is the newest. */
function isReady() {
  return socket.readyState === WebSocket.OPEN && inFlight < MAX_IN_FLIGHT && !encoding;
}

/** Sends the frames of a ReadableStream of VideoFrame. */
async function sendFrames(frames) {
  const reader = frames.getReader();
  for (;;) {
    const { done, value: frame } = await reader.read();
    if (done) return;
    const now = performance.now();
    if (now < due - TOLERANCE_MS || !isReady()) {
      frame.close();
      continue;
    }
    due = Math.max(due + FRAME_MS, now);
    send(frame, frame.displayWidth, frame.displayHeight);
  }
}

async function send(frame, width, height) {
  if (!isReady()) return frame.close();
  encoding = true;
  try {
    const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    pen.drawImage(frame, 0, 0, canvas.width, canvas.height);
    frame.close();
    const jpeg = await canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
    if (socket.readyState !== WebSocket.OPEN) return;
    inFlight += 1;
    socket.send(jpeg);
  } finally {
    encoding = false;
  }
}
