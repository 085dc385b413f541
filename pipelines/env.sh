# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# shellcheck disable=SC2034 # the scripts use its variables
# Sourced by the other scripts. Environment variables:
#   SINK     elements that show the picture, instead of a window:  SINK='fakesink sync=false'
#   ENCODER  elements that encode recordings
#   PLUGINS  folder with libgstemotion.so, instead of this checkout's build or the installed plugin
set -euo pipefail

pipelines=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=${pipelines%/*}
target=${CARGO_TARGET_DIR:-$checkout/target}

# Uses the checkout's release build if there is one. It is linked into a folder of its own, because GStreamer loads
# everything in the folder as plugins.
if [ -z "${PLUGINS:-}" ] && [ -f "$target/release/libgstemotion.so" ]; then
    PLUGINS=$target/plugins
    mkdir -p "$PLUGINS"
    ln -sf "$(cd "$target/release" && pwd)/libgstemotion.so" "$PLUGINS/libgstemotion.so"
fi
if [ -n "${PLUGINS:-}" ]; then
    export GST_PLUGIN_PATH=$PLUGINS${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
fi

if ! gst-inspect-1.0 emotionfacedetect >/dev/null 2>&1; then # --exists compares with GStreamer's version
    printf '%s: GStreamer cannot find the plugin; run make build or make install first\n' "$0" >&2
    exit 1
fi

# Prefer the distribution's Python, because GStreamer's bindings are installed for it.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

# Checks for a required argument: `need "FILE [OUT]" "$@"` prints the usage if there is none.
need() {
    if [ $# -lt 2 ] || [ -z "$2" ]; then
        printf 'usage: %s %s\n' "$0" "$1" >&2
        exit 2
    fi
}

# Sets `source` to the first elements of a pipeline for a camera, a network camera or a file. Frames of a network camera
# that cannot be processed in time are dropped.
open_source() {
    case $1 in
    /dev/video*) source=(v4l2src device="$1") ;;
    rtsp://* | rtsps://*)
        source=(rtspsrc location="$1" latency=200 ! "application/x-rtp,media=video" ! decodebin ! queue leaky=downstream)
        ;;
    *) source=(filesrc location="$1" ! decodebin) ;;
    esac
}

# H.264 if an encoder is installed, without lookahead, so that no branch of a tee waits for another.
if [ -z "${ENCODER:-}" ]; then
    if gst-inspect-1.0 --exists x264enc; then
        ENCODER='x264enc tune=zerolatency speed-preset=veryfast bitrate=4000 ! h264parse'
    elif gst-inspect-1.0 --exists openh264enc; then
        ENCODER='openh264enc bitrate=4000000 ! h264parse'
    elif gst-inspect-1.0 --exists avenc_mpeg4; then
        ENCODER='avenc_mpeg4 bitrate=4000000 ! mpeg4videoparse'
    fi
fi
read -ra show <<<"${SINK:-autovideosink}"
read -ra encode <<<"${ENCODER:-}"
# Without I420, videoconvert would choose a format that few players support.
encode=("video/x-raw,format=I420" ! "${encode[@]}")

# Renders the demo clip of average faces into a file.
render_clip() {
    cargo build --locked --release --manifest-path "$checkout/Cargo.toml" --example average-faces-clip
    "$target/release/examples/average-faces-clip" |
        gst-launch-1.0 -q fdsrc fd=0 ! rawvideoparse format=rgb width=640 height=480 framerate=30/1 ! \
            videoconvert ! "${encode[@]}" ! mp4mux ! filesink location="$1"
}
