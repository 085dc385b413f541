# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# shellcheck disable=SC2034 # the scripts use its variables
# Sourced by the other scripts. Environment variables:
#   SINK     elements that show the picture, instead of a window:  SINK='fakesink sync=false'
#   ENCODER  elements that encode recordings
#   PLUGINS  folder with libgstemotion.so, instead of this checkout's build or the installed plugin
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 # an installed copy of this folder has no other files than those of its package

pipelines=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=${pipelines%/*}
target=${CARGO_TARGET_DIR:-$checkout/target}
# An installed copy of this folder writes to the current folder.
[ -f "$checkout/Cargo.toml" ] || checkout='' target=.

if ! command -v gst-launch-1.0 >/dev/null; then
    printf '%s: gst-launch-1.0 was not found (Debian: gstreamer1.0-tools)\n' "$0" >&2
    exit 1
fi

# Uses the checkout's build if there is one: that of `make build`, or else the quick one of `make demo`, which sets BUILT. It is
# linked into a folder of its own, because GStreamer loads everything in the folder as plugins.
built=$target/${BUILT:-release}
[ -n "${BUILT:-}" ] || [ -f "$built/libgstemotion.so" ] || built=$target/quick
if [ -z "${PLUGINS:-}" ] && [ -n "$checkout" ] && [ -f "$built/libgstemotion.so" ]; then
    PLUGINS=$target/plugins
    mkdir -p "$PLUGINS"
    ln -sf "$(cd "$built" && pwd)/libgstemotion.so" "$PLUGINS/libgstemotion.so"
elif [ -z "${PLUGINS:-}" ] && [ -f "${pipelines%/share/*}/lib/gstreamer-1.0/libgstemotion.so" ]; then
    PLUGINS=${pipelines%/share/*}/lib/gstreamer-1.0 # installed with a PREFIX that GStreamer does not search
fi
if [ -n "${PLUGINS:-}" ]; then
    export GST_PLUGIN_PATH=$PLUGINS${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
fi

# Prints a message to standard error.
say() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
}

fail() {
    say "$1"
    exit 1
}

# --exists would compare the plugin's version with GStreamer's.
gst-inspect-1.0 emotionfacedetect >/dev/null 2>&1 ||
    fail 'GStreamer cannot find the plugin; run make build or make install first'

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

# Properties of decodebin. FFmpeg's decoders write into buffers of the pipeline, and GStreamer 1.24 and 1.26 sometimes abort
# when they do so for a video whose width is not a multiple of 16.
safe_decoding=(avdec_h264-0::direct-rendering=false avdec_h265-0::direct-rendering=false)

# Sets `source` to the first elements of a pipeline for a camera, a network camera or a file. The pictures are turned
# upright if the file has a rotation tag, as videos from phones do. Frames of a network camera that cannot be processed
# in time are dropped. The second argument is the format (caps) of the sound; without it, sound is ignored.
open_source() {
    local decode=(decodebin expose-all-streams=false "caps=video/x-raw(ANY)${2:+;$2}" "${safe_decoding[@]}")
    case $1 in
    rtsp://* | rtsps://*)
        source=(rtspsrc name=input location="$1" latency=200 ! "application/x-rtp,media=video" !
            "${decode[@]}" ! queue leaky=downstream)
        ;;
    *)
        [ -e "$1" ] || fail "no such file or camera: $1"
        source=(filesrc location="$1" ! "${decode[@]}" name=input)
        [[ $1 != /dev/video* ]] || source=(v4l2src device="$1")
        ;;
    esac
    source+=(! videoconvert ! videoflip video-direction=auto)
}

# As open_source, and sets `sound` to the elements that take the sound to muxers: `open_source_with_sound FILE mp4 mux.`
# Formats that players expect in such a file are copied, others are encoded as AAC. Without sound, `sound` is empty. The sound of
# a network camera, which may be what people say, is left out unless SOUND=true.
open_source_with_sound() {
    local copied format='' encoder muxer
    case $2 in
    hls) copied='audio/mpeg,mpegversion=4' ;;
    mp4) copied='audio/mpeg,mpegversion=4;audio/mpeg,mpegversion=1,layer=3' ;;
    mkv) copied='audio/mpeg,mpegversion=4;audio/mpeg,mpegversion=1;audio/x-opus;audio/x-vorbis;audio/x-flac;audio/x-ac3' ;;
    esac
    sound=(input. !)
    case $1 in
    /dev/video*) ;;
    rtsp://* | rtsps://*)
        [ "${SOUND:-}" != true ] || format=$(sound_format "$copied" rtspsrc location="$1" ! application/x-rtp,media=audio)
        sound+=("application/x-rtp,media=audio" ! decodebin "caps=$format" !)
        ;;
    *) format=$(sound_format "$copied" filesrc location="$1") ;;
    esac
    # That format alone: sound in another one would not be linked, and a muxer would wait for it without end.
    open_source "$1" "$format"
    case $format in
    '') sound=() && return ;;
    audio/x-raw)
        encoder=$(aac_encoder)
        if [ -z "$encoder" ]; then
            say 'the sound is left out, because there is no AAC encoder (Debian: gstreamer1.0-libav)'
            sound=() && return
        fi
        say 'the sound is encoded as AAC'
        sound+=(audioconvert ! audioresample ! "$encoder" ! aacparse)
        ;;
    audio/mpeg,mpegversion=4) sound+=(aacparse) ;;
    audio/mpeg,*) sound+=(mpegaudioparse) ;;
    *) sound+=("${format#audio/x-}parse") ;;
    esac
    sound+=(! tee name=sound)
    for muxer in "${@:3}"; do sound+=(sound. ! queue ! "$muxer"); done
}

# Prints which of the formats (caps, separated by semicolons) the sound of a source has, or else audio/x-raw. Prints
# nothing if there is no sound. Each check is a pipeline that ends with success after a buffer of that format.
sound_format() {
    local format formats
    has_sound "$1;audio/x-raw" "${@:2}" || return 0
    IFS=';' read -ra formats <<<"$1"
    for format in "${formats[@]}"; do
        if has_sound "$format" "${@:2}"; then
            printf '%s' "$format"
            return
        fi
    done
    printf audio/x-raw
}

has_sound() {
    timeout 10 gst-launch-1.0 -q "${@:2}" ! decodebin expose-all-streams=false "caps=$1" ! \
        fakesink num-buffers=1 >/dev/null 2>&1
}

# Prints the name of the first AAC encoder that is installed, if any.
aac_encoder() {
    local encoder
    for encoder in fdkaacenc avenc_aac voaacenc; do
        if gst-inspect-1.0 --exists "$encoder"; then
            printf '%s' "$encoder"
            return
        fi
    done
}

# Sets `show` to the elements that show the picture. Fails without a screen, unless SINK is set.
open_screen() {
    # DirectFB's sink crashes without a screen, and autovideosink tries it last.
    export GST_PLUGIN_FEATURE_RANK=dfbvideosink:NONE${GST_PLUGIN_FEATURE_RANK:+,$GST_PLUGIN_FEATURE_RANK}
    if [ -z "${SINK:-}${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ "$(uname)" = Linux ] &&
        ! compgen -G '/dev/dri/card*' >/dev/null; then
        fail "no screen was found; SINK names elements that take the picture instead: SINK='fakesink sync=false'"
    fi
    read -ra show <<<"${SINK:-autovideosink}"
}

# Sets `encode` to the elements that encode video as H.264, with at most this many kbit/s: the encoders of
# crates/supervise/src/encoding.rs, without lookahead, so that no branch of a tee waits for another. For files of MP4, which may
# hold VP9 as well, `encode_within RATE mp4` takes that where there is no H.264 encoder.
encode_within() {
    local encoder=${ENCODER:-}
    if [ -n "$encoder" ]; then
        :
    elif has_elements x264enc h264parse; then
        encoder="x264enc tune=zerolatency speed-preset=veryfast pass=qual quantizer=21 bitrate=$1 ! h264parse"
    elif has_elements openh264enc h264parse; then
        encoder="openh264enc bitrate=${1}000 ! h264parse"
    elif [ "${2:-}" = mp4 ]; then
        # mp4mux needs what vp9parse would add, which GStreamer's "bad" plugins have; version 1.22 crashes without a chroma-site.
        encoder="vp9enc deadline=1 cpu-used=8 threads=2 end-usage=cq cq-level=24 target-bitrate=${1}000 ! \
            capssetter caps=video/x-vp9,chroma-format=(string)4:2:0,chroma-site=(string)mpeg2"
    else # says that there is no H.264 encoder
        encoder='x264enc ! h264parse'
    fi
    read -ra encode <<<"$encoder"
    # Without I420, videoconvert would choose a format that few players support.
    encode=("video/x-raw,format=I420" ! "${encode[@]}")
}

has_elements() {
    local element
    for element; do gst-inspect-1.0 --exists "$element" || return; done
}
encode_within 4000

# Renders a clip of average faces into a file. RENDERER is the program, if it is built already. An installed copy of this folder
# has only the faces, and shows one after the other.
render_clip() {
    encode_within 4000 mp4
    if [ -z "$checkout" ]; then
        show_faces "$1"
        return
    fi
    [ -n "${RENDERER:-}" ] || cargo build --locked --release --manifest-path "$checkout/Cargo.toml" --package average-faces-clip
    "${RENDERER:-$target/release/average-faces-clip}" |
        gst-launch-1.0 -q fdsrc fd=0 ! rawvideoparse format=rgb width=640 height=480 framerate=30/1 ! \
            videoconvert ! "${encode[@]}" ! mp4mux ! filesink location="$1"
}

show_faces() {
    local name parts=()
    for name in neutral happiness surprise sadness anger fear; do
        parts+=(filesrc location="$pipelines/faces/$name.png" ! pngdec ! imagefreeze num-buffers=45 ! video/x-raw,framerate=30/1 ! videoconvert !
            videoscale ! video/x-raw,format=I420,width=320,height=320,pixel-aspect-ratio=1/1 !
            videobox left=-160 right=-160 top=-80 bottom=-80 border-alpha=1 ! faces.)
    done
    gst-launch-1.0 -q concat name=faces ! videoconvert ! "${encode[@]}" ! mp4mux ! filesink location="$1" "${parts[@]}"
}
