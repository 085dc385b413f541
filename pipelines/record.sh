#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Records a camera, or converts a file, into two videos: the original picture, and the picture with faces drawn.
#
#   pipelines/record.sh [FILE or DEVICE] [FOLDER]
#
# Needs:  a camera, unless a file is given
# Shows:  nothing; writes clean.mp4 and annotated.mp4 to FOLDER (default: the current folder)
# Stop:   press Ctrl-C once; both files are finalised
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source_with_sound "${1:-/dev/video0}" mp4 clean. annotated.
folder=${2:-.}
mkdir -p "$folder"

gst-launch-1.0 -e "${source[@]}" ! tee name=pictures \
    pictures. ! queue ! \
    videoconvert ! "${encode[@]}" ! mp4mux name=clean ! filesink location="$folder/clean.mp4" \
    pictures. ! queue ! \
    emotionfacedetect ! emotionclassify ! emotionoverlay ! \
    videoconvert ! "${encode[@]}" ! mp4mux name=annotated ! filesink location="$folder/annotated.mp4" \
    "${sound[@]}"
