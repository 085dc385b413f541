#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Faces and their apparent expression, live on a page in your browser.
#
#   pipelines/dashboard/run.sh [OPTION or SOURCE]...        (make dashboard SOURCES='/dev/video0 clip.mp4')
#
# Needs:  nothing; without a source it plays a clip of average faces, people who do not exist
# Shows:  the page's address; --help tells what else there is
# Stop:   Ctrl-C
# shellcheck source-path=SCRIPTDIR source=../env.sh
set -euo pipefail
# With the plugin, in one go: built one after the other, with other features of what both need, each would undo the other.
cargo build --locked --release --manifest-path "$(dirname "${BASH_SOURCE[0]}")/../../Cargo.toml" \
    --package gst-plugin-emotion --package emotion-dashboard --lib --bins
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
if [ $# -eq 0 ]; then
    clip=$target/dashboard/average-faces.mp4
    mkdir -p "${clip%/*}"
    if [ ! -f "$clip" ]; then
        printf 'dashboard: rendering a clip of average faces\n'
        # Whole or not at all, should somebody stop this.
        render_clip "$clip.part"
        mv "$clip.part" "$clip"
    fi
    set -- "$clip"
fi
# The elements are linked in; a copy of the plugin that GStreamer finds elsewhere would only be in their way.
unset GST_PLUGIN_PATH
exec "$target/release/emotion-dashboard" "$@"
