# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# shellcheck disable=SC2034 # its variables are for them
# Sourced by the scripts beside it. What may be set from outside:
#   SINK     where pictures go instead of a window, as one writes it in gst-launch-1.0:  SINK='fakesink sync=false'
#   ENCODER  how recordings are encoded, likewise
#   PLUGINS  a folder with libgstemotion.so, instead of this checkout's build or the installed one
set -euo pipefail

pipelines=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=${pipelines%/*}
target=${CARGO_TARGET_DIR:-$checkout/target}

# In a checkout that was built, what was built; alone in a folder, since GStreamer takes everything below it for plugins.
if [ -z "${PLUGINS:-}" ] && [ -f "$target/release/libgstemotion.so" ]; then
    PLUGINS=$target/plugins
    mkdir -p "$PLUGINS"
    ln -sf "$(cd "$target/release" && pwd)/libgstemotion.so" "$PLUGINS/libgstemotion.so"
fi
if [ -n "${PLUGINS:-}" ]; then
    export GST_PLUGIN_PATH=$PLUGINS${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
fi

if ! gst-inspect-1.0 emotionfacedetect >/dev/null 2>&1; then # --exists wants GStreamer's own version
    printf '%s: GStreamer does not find the plugin; run make build or make install first\n' "$0" >&2
    exit 1
fi

# The distribution's own Python, where it has one: GStreamer's bindings are installed for that.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

# The arguments a script cannot do without: `need "FILE [OUT]" "$@"` shows the usage unless at least one came.
need() {
    if [ $# -lt 2 ] || [ -z "$2" ]; then
        printf 'usage: %s %s\n' "$0" "$1" >&2
        exit 2
    fi
}

# A camera's device, a network camera's address or a file, as the beginning of a pipeline. What cannot be kept up with of
# a camera is left out.
open_source() {
    case $1 in
    /dev/video*) source=(v4l2src device="$1") ;;
    rtsp://* | rtsps://*) source=(rtspsrc location="$1" latency=200 ! "application/x-rtp,media=video" ! decodebin ! queue leaky=downstream) ;;
    *) source=(filesrc location="$1" ! decodebin) ;;
    esac
}

# H.264 where there is an encoder for it; without a delay, so that no branch of a tee waits for another.
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
# videoconvert would pick a format that few players show.
encode=("video/x-raw,format=I420" ! "${encode[@]}")

# Renders the demo's clip, average faces of people who do not exist, into a file.
render_clip() {
    cargo build --locked --release --manifest-path "$checkout/Cargo.toml" --example average-faces-clip
    "$target/release/examples/average-faces-clip" |
        gst-launch-1.0 -q fdsrc fd=0 ! rawvideoparse format=rgb width=640 height=480 framerate=30/1 ! \
            videoconvert ! "${encode[@]}" ! mp4mux ! filesink location="$1"
}
