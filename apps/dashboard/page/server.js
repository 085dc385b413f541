// SPDX-License-Identifier: MIT OR Apache-2.0
// Requests and WebSockets to the server of this page.

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 8000;

export function openSocket(path) {
  return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/${path}`);
}

/** Sends a request and returns the JSON of the response. A refusal throws an error with the server's message. */
export async function request(path, { method = "GET", body } = {}) {
  const headers = body ? { "content-type": "application/json" } : {};
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({}));
    throw new Error(error ?? `${response.status} ${response.statusText}`);
  }
  return response.status === 204 ? null : response.json();
}

/**
 * Keeps a WebSocket open and reconnects when it closes, with growing pauses. Text messages go to `onJson`, binary ones
 * to `onBlob` with the socket. Returns a function that closes it for good.
 */
export function keepConnected(path, { onJson, onBlob, onClose }) {
  let retry = FIRST_RETRY_MS, socket, timer, stopped = false;
  const connect = () => {
    socket = openSocket(path);
    socket.binaryType = "blob";
    socket.onmessage = ({ data }) => {
      retry = FIRST_RETRY_MS;
      if (typeof data === "string") onJson(JSON.parse(data));
      else onBlob?.(data, socket);
    };
    socket.onclose = () => {
      if (stopped) return;
      onClose?.();
      timer = setTimeout(connect, retry);
      retry = Math.min(retry * 2, MAX_RETRY_MS);
    };
  };
  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    socket.close();
  };
}
