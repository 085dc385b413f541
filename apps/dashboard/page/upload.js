// SPDX-License-Identifier: MIT OR Apache-2.0
// Sends a photo or video to the server, which adds it as a source: by dropping it onto the page, or from the dialog.

import { setText } from "./dom.js";
import { formatPercent } from "./format.js";
import { openSocket } from "./server.js";

const CHUNK_BYTES = 512 * 1024;

/** Sends a file. `onProgress` gets the share that was sent. Fails with the server's message. */
export function uploadFile(file, onProgress) {
  return new Promise((resolve, reject) => {
    const socket = openSocket(`api/upload?name=${encodeURIComponent(file.name)}`);
    let sent = 0;
    const sendNext = () => {
      onProgress(file.size ? sent / file.size : 1);
      if (sent >= file.size) return socket.send("end");
      socket.send(file.slice(sent, sent + CHUNK_BYTES));
      sent += CHUNK_BYTES;
    };
    socket.onopen = sendNext;
    socket.onmessage = ({ data }) => {
      if (data === "next") return sendNext();
      const { id, error } = JSON.parse(data);
      if (error) reject(new Error(error));
      else resolve(id);
      socket.close();
    };
    socket.onclose = () => reject(new Error("The connection was lost."));
  });
}

/** Takes files that are dropped anywhere on the page. */
export function bindDrop(cover, status) {
  let depth = 0;
  const show = (isOver) => { cover.hidden = !isOver; };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    show(true);
  });
  addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) show(false);
  });
  addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    for (const file of event.dataTransfer.files) await uploadWithStatus(file, status);
  });
}

async function uploadWithStatus(file, status) {
  try {
    await uploadFile(file, (share) => setText(status, `Sending ${file.name} … ${formatPercent(share)}`));
    setText(status, "");
  } catch (error) {
    setText(status, `${file.name}: ${error.message}`);
  }
}
