#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# A recording with what its faces look like as a subtitle track, to be switched on in any player.
#
#   pipelines/subtitles.sh [FILE or DEVICE] [OUT.mkv]
#
# Needs:  a camera unless a file is named
# Shows:  nothing; writes OUT.mkv (faces.mkv)
# Stop:   the end of the file; Ctrl-C, once, closes the recording properly
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"

# Twice a second is what can be read.
gst-launch-1.0 -q -e "${source[@]}" ! videoconvert ! \
    emotionfacedetect ! emotionclassify ! tee name=faces \
    faces. ! queue ! videoconvert ! "${encode[@]}" ! matroskamux name=recording ! filesink location="${2:-faces.mkv}" \
    faces. ! queue ! emotionexport format=text interval=500000000 ! queue ! recording.
