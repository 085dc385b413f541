#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Records without end, in files of equal length, each with a file of what was seen in it beside it.
#
#   pipelines/segments.sh [FILE, DEVICE or rtsp://ADDRESS] [FOLDER] [SECONDS]
#
# Needs:  a camera unless a file is named; GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0)
# Shows:  nothing; writes 00000.mp4, 00000.ndjson, 00001.mp4 … to FOLDER (the current one), a pair every SECONDS (60);
#         a later run goes on with the next number. A crash loses the last three seconds of the open video, which any
#         player opens all the same, and no line of text.
# Stop:   the end of the file; Ctrl-C, once, closes the recording properly
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"
folder=${2:-.}
mkdir -p "$folder"

exec "$python" "$pipelines/segments.py" "$folder" "${3:-60}" "${source[@]}" ! videoconvert ! \
    emotionfacedetect ! emotionclassify ! tee name=faces \
    faces. ! queue ! videoconvert ! "${encode[@]}" ! splitmuxsink name=recording \
    muxer::fragment-mode=first-moov-then-finalise muxer::fragment-duration=1000 sink::buffer-mode=unbuffered \
    faces. ! queue ! emotionexport name=records ! fakesink sync=false
