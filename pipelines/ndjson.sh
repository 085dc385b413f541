#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Faces and their apparent expressions as lines of JSON, while they are seen.
#
#   pipelines/ndjson.sh [FILE or DEVICE] [emotionexport's properties]
#   pipelines/ndjson.sh | jq --unbuffered -r 'select(.score > 0.8) | "\(.id) \(.label)"'
#   pipelines/ndjson.sh /dev/video0 aggregate-only=true interval=5000000000 >>counts.ndjson
#
# Needs:  a camera unless a file is named
# Shows:  a line for every face on every frame, on standard output; each is written at once and whole
# Stop:   the end of the file, or Ctrl-C
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"

gst-launch-1.0 -q "${source[@]}" ! videoconvert ! \
    emotionfacedetect ! emotionclassify ! emotionexport "${@:2}" ! fdsink fd=3 3>&1 >&2
