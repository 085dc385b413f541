// SPDX-License-Identifier: MIT OR Apache-2.0
"use strict";
{
  const player = document.getElementById("player");
  const video = player.querySelector("video");
  const start = Number(player.dataset.start), length = Number(player.dataset.length);
  const charts = [...document.querySelectorAll(".plot")];
  // The page may have been moved away from its video.
  const show = () => {
    player.hidden = false;
    document.body.classList.add("plays");
  };
  if (video.readyState >= HTMLMediaElement.HAVE_METADATA) show();
  else video.addEventListener("loadedmetadata", show);

  const play = (seconds) => {
    video.currentTime = Math.max(0, seconds);
    video.play().catch(() => {});
  };
  const heads = charts.map((chart) => {
    const head = document.createElement("span");
    head.className = "head";
    chart.append(head);
    chart.addEventListener("click", ({ clientX }) => {
      if (player.hidden) return;
      const { left, width } = chart.getBoundingClientRect();
      play(start + (clientX - left) / width * length);
    });
    return head;
  });
  for (const link of document.querySelectorAll(".moment")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      if (!player.hidden) play(Number(link.dataset.time));
    });
  }
  const follow = () => {
    const share = (video.currentTime - start) / length;
    for (const head of heads) {
      head.hidden = share < 0 || share > 1;
      head.style.left = `${share * 100}%`;
    }
    if (!video.paused) requestAnimationFrame(follow);
  };
  for (const name of ["play", "seeked", "timeupdate"]) video.addEventListener(name, follow);
}
