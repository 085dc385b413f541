#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Faces and their apparent expressions, live from a camera.
#
#   pipelines/webcam.sh [DEVICE]
#
# Needs:  a camera (the first one unless DEVICE says otherwise) and a screen
# Shows:  the picture with a box, a name and scores for every face
# Stop:   Ctrl-C, or close the window
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"

gst-launch-1.0 -e "${source[@]}" ! videoconvert ! \
    queue leaky=downstream max-size-buffers=1 ! \
    emotionfacedetect ! emotionclassify ! emotionoverlay ! \
    videoconvert ! "${show[@]}"
