#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Examines photos and recordings and writes a table of faces, a table of files and a page.
#
#   pipelines/scan/run.sh INPUT [FOLDER] [OPTION]...        (make scan INPUT=recordings OUTPUT=folder)
#
# Needs:  photos and videos, or their URLs; docs/scan.md lists the options
# Shows:  the progress; writes results.parquet, results.files.parquet and report.html to FOLDER (default: target/scan)
# Stop:   ends by itself; after an interruption the same command continues
# shellcheck source-path=SCRIPTDIR source=../env.sh
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Builds the plugin too. In two separate builds, their shared dependencies would have different features, and each build
# would recompile them.
cargo build --locked --release --manifest-path "$checkout/Cargo.toml" \
    --package gst-plugin-emotion --package emotion-scan --features emotion-scan/remote --lib --bins
source "$checkout/pipelines/env.sh"
need "INPUT [FOLDER] [OPTION]..." "$@"
input=$1
folder=${2:-$target/scan}
shift $(($# < 2 ? $# : 2))
mkdir -p "$folder"

# The elements are linked into the program; another copy of the plugin would conflict with them.
unset GST_PLUGIN_PATH
code=0
"$target/release/emotion-scan" "$input" --output "$folder/results.parquet" --report "$folder/report.html" "$@" || code=$?
# 3 means that a file could not be read. The table of files says which.
if [ "$code" -ne 0 ] && [ "$code" -ne 3 ]; then exit "$code"; fi
printf '  faces         %s\n  files         %s\n  report        %s\n' \
    "$folder/results.parquet" "$folder/results.files.parquet" "$folder/report.html"
