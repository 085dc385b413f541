#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Serves faces and their apparent expressions as lines of JSON to every client that connects.
#
#   pipelines/tcp.sh [FILE or DEVICE] [PORT] [HOST]
#   nc 127.0.0.1 5000
#
# Needs:  a camera, unless a file is given, which plays in real time
# Shows:  nothing; clients receive records from the time they connect. HOST 0.0.0.0 admits other machines, without a
#         password.
# Stop:   ends with the file, or press Ctrl-C
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
open_source "${1:-/dev/video0}"

gst-launch-1.0 -q "${source[@]}" ! identity sync=true ! queue leaky=downstream max-size-buffers=1 ! \
    emotionfacedetect ! emotionclassify ! emotionexport ! \
    tcpserversink host="${3:-127.0.0.1}" port="${2:-5000}" sync=false
