#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Faces and their apparent expressions in a photo.
#
#   pipelines/image.sh FILE [OUT.png]
#
# Needs:  a picture in any format that GStreamer can read
# Shows:  nothing; writes OUT.png (default: FILE's name with -faces.png, in the current folder)
# Stop:   ends by itself
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
need "FILE [OUT.png]" "$@"
name=${1##*/}
out=${2:-${name%.*}-faces.png}

gst-launch-1.0 -q filesrc location="$1" ! decodebin ! \
    videoflip video-direction=auto ! videoconvert ! \
    emotionfacedetect detect-size=640 ! emotionclassify ! emotionoverlay ! \
    videoconvert ! pngenc snapshot=true ! filesink location="$out"
printf 'wrote %s\n' "$out"
