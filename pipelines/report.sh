#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Makes one HTML page of an NDJSON export: timelines of the apparent expressions, their shares of the time and, with the
# video, pictures of the faces. Runs emotion-report.
#
#   pipelines/report.sh FILE.ndjson [VIDEO] [OUT.html]
#
# Needs:  emotion-report, from this checkout's build, installed beside this folder, or in PATH; PROGRAMS names another folder
# Shows:  nothing; writes OUT.html (default: FILE.html beside FILE.ndjson), a page that needs no other files
# Stop:   ends by itself
set -euo pipefail

pipelines=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-${pipelines%/*}/target}
for folder in "${PROGRAMS:-}" "$target/release" "$target/quick" "${pipelines%/share/*}/bin"; do
    if [ -n "$folder" ] && [ -x "$folder/emotion-report" ]; then exec "$folder/emotion-report" "$@"; fi
done
if program=$(command -v emotion-report); then exec "$program" "$@"; fi
printf '%s: emotion-report was not found; run make build or make install first\n' "${0##*/}" >&2
exit 1
