#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Records a camera, or converts a file, twice at once: as it is and with the faces drawn.
#
#   pipelines/record.sh [FILE or DEVICE] [FOLDER]
#
# Needs:  a camera unless a file is named
# Shows:  nothing; writes clean.mp4 and annotated.mp4 to FOLDER (the current one)
# Stop:   Ctrl-C, once; both files are closed properly
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"
folder=${2:-.}
mkdir -p "$folder"

gst-launch-1.0 -e "${source[@]}" ! videoconvert ! tee name=pictures \
    pictures. ! queue ! \
    videoconvert ! "${encode[@]}" ! mp4mux ! filesink location="$folder/clean.mp4" \
    pictures. ! queue ! \
    emotionfacedetect ! emotionclassify ! emotionoverlay ! \
    videoconvert ! "${encode[@]}" ! mp4mux ! filesink location="$folder/annotated.mp4"
