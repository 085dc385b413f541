#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Shows faces and their apparent expressions in a video file.
#
#   pipelines/video.sh FILE
#
# Needs:  a screen, or SINK
# Shows:  the picture with a box, a label and scores for each face
# Stop:   ends with the file, or press Ctrl-C or close the window
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
need FILE "$@"
open_source "$1"
open_screen

gst-launch-1.0 "${source[@]}" ! \
    emotionfacedetect ! emotionclassify ! emotionoverlay ! \
    videoconvert ! "${show[@]}"
