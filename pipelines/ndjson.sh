#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Prints faces and their apparent expressions as lines of JSON.
#
#   pipelines/ndjson.sh [FILE or DEVICE] [properties of emotionexport]
#   pipelines/ndjson.sh | jq --unbuffered -r 'select(.score > 0.8) | "\(.id) \(.label)"'
#   pipelines/ndjson.sh /dev/video0 aggregate-only=true interval=5000000000 >>counts.ndjson
#
# Needs:  a camera, unless a file is given
# Shows:  one line for each face in each frame, on standard output, without buffering
# Stop:   ends with the file, or press Ctrl-C
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"

gst-launch-1.0 -q "${source[@]}" ! \
    emotionfacedetect ! emotionclassify ! emotionexport "${@:2}" ! fdsink fd=3 3>&1 >&2
