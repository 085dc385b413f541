// SPDX-License-Identifier: MIT OR Apache-2.0
// Sends the frames of a camera to the server as JPEG pictures, from a worker.

/** Sends what `video` plays to `path`, and reconnects when the connection is lost. Returns a function that stops it. */
export function streamVideo(video, path) {
  const worker = new Worker("camera-worker.js", { type: "module" });
  const [track] = video.srcObject.getVideoTracks();
  if (window.MediaStreamTrackProcessor) {
    const { readable } = new MediaStreamTrackProcessor({ track });
    worker.postMessage({ path, frames: readable }, [readable]);
  } else {
    // Other browsers: the worker asks for each frame, and the page takes it from the video.
    worker.onmessage = async () => {
      if (!video.videoWidth) return;
      const bitmap = await createImageBitmap(video);
      worker.postMessage({ bitmap }, [bitmap]);
    };
    worker.postMessage({ path });
  }
  return () => worker.terminate();
}
