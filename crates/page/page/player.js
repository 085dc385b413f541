// SPDX-License-Identifier: MIT OR Apache-2.0
// The player of the video: a click on a time or on a chart plays it there.

import { element } from "./elements.js";
import { SECOND, clock } from "./text.js";

/** A function that shows a time as text; with the address of a video, as a link that plays it there, also in another tab. */
export function momentsOf(address) {
  if (address === null) return clock;
  return (time) => {
    const seconds = (time / SECOND).toFixed(3);
    return element("a", { class: "moment", href: `${address}#t=${seconds}`, "data-time": seconds }, clock(time));
  };
}

/** Adds the player before `place`. It is shown once the video is found: the page may have been moved away from it. */
export function addPlayer(address, axis, place) {
  const video = element("video", { controls: "", preload: "metadata" });
  const player = element("section", { id: "player", class: "player", "aria-label": "Video", hidden: "" }, video);
  place.before(player);
  video.onloadedmetadata = () => {
    player.hidden = false;
    document.body.classList.add("plays");
  };
  video.src = address;
  const play = (seconds) => {
    if (player.hidden) return;
    video.currentTime = Math.max(0, seconds);
    video.play().catch(() => {});
  };
  bindMoments(play);
  followIn(video, axis, [...document.querySelectorAll(".plot")].map((plot) => headOf(plot, axis, play)));
}

function bindMoments(play) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".moment");
    if (!link) return;
    event.preventDefault();
    play(Number(link.dataset.time));
  });
}

/** The line that shows the player's position in a chart, which plays the video where it is clicked. */
function headOf(plot, axis, play) {
  const head = element("span", { class: "head", hidden: "" });
  plot.append(head);
  plot.addEventListener("click", ({ clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    play((axis.start + (clientX - left) / width * axis.length) / SECOND);
  });
  return head;
}

function followIn(video, axis, heads) {
  const follow = () => {
    const share = axis.share(video.currentTime * SECOND);
    for (const head of heads) {
      head.hidden = share < 0 || share > 1;
      head.style.left = `${share * 100}%`;
    }
    if (!video.paused) requestAnimationFrame(follow);
  };
  for (const name of ["loadedmetadata", "play", "seeked", "timeupdate"]) video.addEventListener(name, follow);
}
