#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Makes a folder to examine: clips of average faces, one of them long enough to be cut into slices, photos, and a broken
# file.
#
#   pipelines/cluster/clips.sh FOLDER
# shellcheck source-path=SCRIPTDIR source=../env.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
need FOLDER "$@"
mkdir -p "$1"
[ -f "$1/clip.mp4" ] || render_clip "$1/clip.mp4"
for number in 1 2 3; do
    cp "$1/clip.mp4" "$1/clip-$number.mp4"
    gst-launch-1.0 -q filesrc location="$1/clip.mp4" ! decodebin ! videoconvert ! identity eos-after=$((number * 50)) ! \
        jpegenc snapshot=false ! multifilesink location="$1/.frame.jpg"
    mv "$1/.frame.jpg" "$1/photo-$number.jpg"
done
if [ ! -f "$1/long.mp4" ]; then
    for _ in {1..10}; do "$target/release/examples/average-faces-clip"; done |
        gst-launch-1.0 -q fdsrc fd=0 ! rawvideoparse format=rgb width=640 height=480 framerate=30/1 ! \
            videoconvert ! "${encode[@]}" ! mp4mux ! filesink location="$1/long.mp4"
fi
head -c 1000 "$1/clip.mp4" >"$1/broken.mp4"
