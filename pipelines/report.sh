#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Makes one HTML page of an NDJSON export: timelines of the apparent expressions, their shares of the time and, with the
# video, key frames.
#
#   pipelines/report.sh FILE.ndjson [VIDEO] [OUT.html]
#
# Needs:  python3; for key frames GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0)
# Shows:  nothing; writes OUT.html (default: FILE.html beside FILE.ndjson), a page that needs no other files
# Stop:   ends by itself
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 3 ] || [ -z "$1" ]; then
    printf 'usage: %s FILE.ndjson [VIDEO] [OUT.html]\n' "$0" >&2
    exit 2
fi
# Prefer the distribution's Python, because GStreamer's bindings are installed for it. -B: an installed copy of this
# folder has no other files than those of its package.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" -B "$(dirname "${BASH_SOURCE[0]}")/report.py" "$@"
