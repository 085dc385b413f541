#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Video for players of HTTP Live Streaming, with what its faces look like as captions that can be switched on and off.
#
#   pipelines/hls.sh [FILE, DEVICE or rtsp://ADDRESS] [FOLDER] [SECONDS] [KEPT]
#   python3 -m http.server --directory FOLDER       # then open http://127.0.0.1:8000
#
# Needs:  a camera unless a file is named; GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0)
# Shows:  nothing; writes to FOLDER (hls) the playlist stream.m3u8 for players, a page that plays it, index.html, and
#         segments of SECONDS (4) as fragmented MP4 and WebVTT. KEPT of them stay (all of a file, else 15). A crash loses
#         the open segment; a later run goes on in the same playlist.
# Stop:   the end of the file; Ctrl-C, once, ends the playlist
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"
folder=${2:-hls}
kept=0
[ -f "${1:-}" ] || kept=15
mkdir -p "$folder"
cp "$pipelines/hls.html" "$folder/index.html"

exec "$python" "$pipelines/hls.py" "$folder" "${3:-4}" "${4:-$kept}" "${source[@]}" ! videoconvert ! \
    emotionfacedetect ! emotionclassify ! tee name=faces \
    faces. ! queue ! videoconvert ! "${encode[@]}" ! video/x-h264 ! mp4mux name=video streamable=true fragment-duration=1000 ! fakesink sync=false \
    faces. ! queue ! emotionexport name=captions format=webvtt interval=500000000 ! fakesink sync=false
