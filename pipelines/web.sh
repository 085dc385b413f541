#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Makes a web page of a video with the apparent expressions as captions.
#
#   pipelines/web.sh FILE [FOLDER]
#   python3 -m http.server --directory FOLDER       # then open http://127.0.0.1:8000
#
# Needs:  a video
# Shows:  nothing; writes video.mp4, faces.vtt and the page, index.html, to FOLDER (default: the current folder).
#         Browsers load captions from a server only, not from a folder.
# Stop:   ends by itself
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
need "FILE [FOLDER]" "$@"
open_source_with_sound "$1" mp4 video.
folder=${2:-.}
mkdir -p "$folder"

gst-launch-1.0 -q "${source[@]}" ! \
    emotionfacedetect ! emotionclassify ! tee name=faces \
    faces. ! queue ! videoconvert ! "${encode[@]}" ! mp4mux name=video faststart=true ! filesink location="$folder/video.mp4" \
    faces. ! queue ! emotionexport format=webvtt interval=500000000 ! filesink location="$folder/faces.vtt" async=false \
    "${sound[@]}"
cp "$pipelines/web.html" "$folder/index.html"
