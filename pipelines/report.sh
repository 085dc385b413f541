#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What an NDJSON export tells, as one page to open, print or send: a time line of the apparent expressions of all faces
# and of each, their share of the time and, with the video, key frames.
#
#   pipelines/report.sh FILE.ndjson [VIDEO] [OUT.html]
#
# Needs:  python3; for key frames GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0)
# Shows:  nothing; writes OUT.html (FILE.html beside FILE.ndjson), which loads nothing from elsewhere
# Stop:   ends by itself
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 3 ] || [ -z "$1" ]; then
    printf 'usage: %s FILE.ndjson [VIDEO] [OUT.html]\n' "$0" >&2
    exit 2
fi
# The distribution's own Python, where it has one: GStreamer's bindings are installed for that.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" "$(dirname "${BASH_SOURCE[0]}")/report.py" "$@"
