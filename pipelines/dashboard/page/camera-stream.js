// SPDX-License-Identifier: MIT OR Apache-2.0
// Sends the frames of a camera to the server as JPEG pictures.

import { openSocket } from "./server.js";

const FRAME_RATE = 15;
const MAX_SIDE = 1280;
const JPEG_QUALITY = .85;
/** Pictures that the server has not acknowledged yet, at most. */
const MAX_IN_FLIGHT = 2;
const RECONNECT_MS = 2000;

/** Sends what `video` plays to `path`, and reconnects when the connection is lost. Returns a function that stops it. */
export function streamVideo(video, path) {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { alpha: false });
  let socket, stopped = false, inFlight = 0, encoding = false;
  const connect = () => {
    if (stopped) return;
    socket = openSocket(path);
    inFlight = 0;
    socket.onmessage = () => { inFlight = Math.max(0, inFlight - 1); };
    socket.onclose = () => {
      if (!stopped) setTimeout(connect, RECONNECT_MS);
    };
  };
  const isReady = () => socket.readyState === WebSocket.OPEN;
  // Frames are skipped while two are in flight or one is being encoded, so that the next one sent is the newest.
  const sendFrame = () => {
    if (stopped || !isReady() || inFlight >= MAX_IN_FLIGHT || encoding || !video.videoWidth) return;
    const scale = Math.min(1, MAX_SIDE / Math.max(video.videoWidth, video.videoHeight));
    [canvas.width, canvas.height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
    pen.drawImage(video, 0, 0, canvas.width, canvas.height);
    encoding = true;
    canvas.toBlob((jpeg) => {
      encoding = false;
      if (!jpeg || !isReady()) return;
      inFlight += 1;
      socket.send(jpeg);
    }, "image/jpeg", JPEG_QUALITY);
  };
  connect();
  const timer = setInterval(sendFrame, 1000 / FRAME_RATE);
  return () => {
    stopped = true;
    clearInterval(timer);
    socket.close();
  };
}
