#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Shows faces and their apparent expressions live on a web page.
#
#   pipelines/dashboard/run.sh [OPTION or SOURCE]...        (make dashboard SOURCES='/dev/video0 clip.mp4')
#
# Needs:  nothing; without a source it plays a rendered clip of average faces
# Shows:  the address of the page; --help lists the options
# Stop:   press Ctrl-C
# shellcheck source-path=SCRIPTDIR source=../env.sh
set -euo pipefail
# Builds the plugin too. In two separate builds, their shared dependencies would have different features, and each build
# would recompile them.
cargo build --locked --release --manifest-path "$(dirname "${BASH_SOURCE[0]}")/../../Cargo.toml" \
    --package gst-plugin-emotion --package emotion-dashboard --lib --bins
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
if [ $# -eq 0 ]; then
    clip=$target/dashboard/average-faces.mp4
    mkdir -p "${clip%/*}"
    if [ ! -f "$clip" ]; then
        printf 'dashboard: rendering a clip of average faces\n'
        # Renamed when complete, in case the script is interrupted.
        render_clip "$clip.part"
        mv "$clip.part" "$clip"
    fi
    set -- "$clip"
fi
# The elements are linked into the program; another copy of the plugin would conflict with them.
unset GST_PLUGIN_PATH
exec "$target/release/emotion-dashboard" "$@"
