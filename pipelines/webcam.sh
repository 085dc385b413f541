#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Shows faces and their apparent expressions live from a camera.
#
#   pipelines/webcam.sh [DEVICE]
#
# Needs:  a camera (default: the first one) and a screen, or SINK
# Shows:  the picture with a box, a label and scores for each face
# Stop:   press Ctrl-C, or close the window
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"
open_screen

gst-launch-1.0 -e "${source[@]}" ! \
    queue leaky=downstream max-size-buffers=1 ! \
    emotionfacedetect ! emotionclassify ! emotionoverlay ! \
    videoconvert ! "${show[@]}"
