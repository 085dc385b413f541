#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Records a video with the apparent expressions as a subtitle track.
#
#   pipelines/subtitles.sh [FILE or DEVICE] [OUT.mkv]
#
# Needs:  a camera, unless a file is given
# Shows:  nothing; writes OUT.mkv (default: faces.mkv)
# Stop:   ends with the file; press Ctrl-C once to finalise the recording
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source_with_sound "${1:-/dev/video0}" mkv recording.

# Two subtitles per second are still readable. The muxer waits for the next one, so the encoded video is queued.
gst-launch-1.0 -q -e "${source[@]}" ! \
    emotionfacedetect ! emotionclassify ! tee name=faces \
    faces. ! queue ! videoconvert ! "${encode[@]}" ! queue max-size-buffers=0 max-size-time=5000000000 ! \
    matroskamux name=recording ! filesink location="${2:-faces.mkv}" \
    faces. ! queue ! emotionexport format=text interval=500000000 ! queue ! recording. \
    "${sound[@]}"
