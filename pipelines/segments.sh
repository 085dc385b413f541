#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Records continuously into files of equal length, each with a file of records beside it.
#
#   pipelines/segments.sh [FILE, DEVICE or rtsp://ADDRESS] [FOLDER] [SECONDS]
#
# Needs:  a camera, unless a file is given; GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0)
# Shows:  nothing; writes 00000.mp4, 00000.ndjson, 00001.mp4 … to FOLDER (default: the current folder), a pair
#         every SECONDS (60). recording_time in a record is its position in the video beside it, in nanoseconds. The next run continues with the next number. A crash loses up to three seconds of the
#         open video, which stays playable, and no records.
# Stop:   ends with the file; press Ctrl-C once to finalise the recording
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source_with_sound "${1:-/dev/video0}" mp4 recording.audio_0
folder=${2:-.}
mkdir -p "$folder"

exec "$python" "$pipelines/segments.py" "$folder" "${3:-60}" "${source[@]}" ! \
    emotionfacedetect ! emotionclassify ! tee name=faces \
    faces. ! queue ! videoconvert ! "${encode[@]}" ! splitmuxsink name=recording \
    muxer::fragment-mode=first-moov-then-finalise muxer::fragment-duration=1000 sink::buffer-mode=unbuffered \
    faces. ! queue ! emotionexport name=records ! fakesink sync=false \
    "${sound[@]}"
