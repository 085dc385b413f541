#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Shows faces and their apparent expressions in a network camera's picture.
#
#   pipelines/rtsp.sh rtsp://ADDRESS/PATH
#
# Needs:  the camera's address and a screen, or SINK
# Shows:  the picture with a box, a label and scores for each face, with minimum latency
# Stop:   press Ctrl-C, or close the window
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
need "rtsp://ADDRESS/PATH" "$@"
open_source "$1"
open_screen

gst-launch-1.0 "${source[@]}" ! \
    queue leaky=downstream max-size-buffers=1 ! \
    emotionfacedetect ! emotionclassify ! emotionoverlay ! \
    videoconvert ! "${show[@]}"
