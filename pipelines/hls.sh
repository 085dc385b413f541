#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# HTTP Live Streaming with the apparent expressions as captions.
#
#   pipelines/hls.sh [FILE, DEVICE or rtsp://ADDRESS] [FOLDER] [SECONDS] [KEPT]
#   python3 -m http.server --directory FOLDER       # then open http://127.0.0.1:8000
#
# Needs:  a camera, unless a file is given; GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0)
# Shows:  nothing; writes to FOLDER (default: hls) the playlist stream.m3u8, a page that plays it, index.html, and
#         segments of SECONDS (4) as fragmented MP4 and WebVTT. The last KEPT segments stay on disk (default: all of a
#         file, 15 otherwise). A crash loses the open segment; the next run continues the playlist.
# Stop:   ends with the file; press Ctrl-C once to end the playlist
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source_with_sound "${1:-/dev/video0}" hls video.
folder=${2:-hls}
kept=0
[ -f "${1:-}" ] || kept=15
mkdir -p "$folder"
cp "$pipelines/hls.html" "$folder/index.html"

exec "$python" "$pipelines/hls.py" "$folder" "${3:-4}" "${4:-$kept}" "${source[@]}" ! \
    emotionfacedetect ! emotionclassify ! tee name=faces \
    faces. ! queue ! videoconvert ! "${encode[@]}" ! video/x-h264 ! \
    mp4mux name=video streamable=true fragment-duration=200 ! fakesink sync=false \
    faces. ! queue ! emotionexport name=captions format=webvtt interval=500000000 ! fakesink sync=false \
    "${sound[@]}"
