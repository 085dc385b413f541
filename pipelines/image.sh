#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Faces and their apparent expressions in a photo.
#
#   pipelines/image.sh FILE [OUT.png] [properties of emotionfacedetect, emotionclassify and emotionoverlay]
#   pipelines/image.sh crowd.jpg detect-size=1280 draw-scores=false emotionclassify::model-file=expression
#
# Needs:  a photo in a format of docs/scan.md, or another file that GStreamer can read, whose first picture is taken;
#         emotion-photo, which reads photos, from this checkout's build, installed beside this folder, or in PATH; PROGRAMS names
#         another folder
# Shows:  nothing; writes OUT.png (default: FILE's name with -faces.png, in the current folder)
# Stop:   ends by itself
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

# Sets `source` to the elements that read a picture. A photo comes from emotion-photo on standard input, upright.
open_photo() {
    local folder said status=1
    photo=$1 reader=''
    for folder in "${PROGRAMS:-}" "$target/release" "${pipelines%/share/*}/bin"; do
        if [ -n "$folder" ] && [ -x "$folder/emotion-photo" ]; then
            reader=$folder/emotion-photo
            break
        fi
    done
    [ -n "$reader" ] || reader=$(command -v emotion-photo) || true
    [ -z "$reader" ] || { said=$("$reader" "$photo" 2>&1) && status=0 || status=$?; }
    case $status in
    0) source=(fdsrc fd=0 ! pngdec ! videoconvert) ;;
    1) reader='' && open_source "$photo" ;; # a video, for example
    *) fail "$said" ;;
    esac
}

# Writes the photo as PNG to standard output; nothing if GStreamer reads the file itself.
read_photo() {
    [ -z "$reader" ] || "$reader" "$photo" -
}

need "FILE [OUT.png] [PROPERTY=VALUE …]" "$@"
[ -e "$1" ] || fail "no such file: $1"
open_photo "$1"
name=${1##*/}
out=${name%.*}-faces.png
shift
if [ $# -gt 0 ] && [[ $1 != *=* ]]; then
    out=$1
    shift
fi

# Sets `element` to the element with the property: the one named before `::`, or the only one that has it.
find_element() {
    local candidate property=${1##*::} found=()
    for candidate in emotionfacedetect emotionclassify emotionoverlay; do
        if [[ $1 == "$property" || $1 == "$candidate::$property" ]] &&
            gst-inspect-1.0 "$candidate" | grep "^  $property *: " >/dev/null; then
            found+=("$candidate")
        fi
    done
    case ${#found[@]} in
    0) fail "no element has the property $1; gst-inspect-1.0 emotionfacedetect lists those of one element" ;;
    1) element=${found[0]} ;;
    *) fail "${found[*]} have the property $1; write ${found[0]}::$1=… for one of them" ;;
    esac
}

emotionfacedetect=(detect-size=640)
emotionclassify=()
emotionoverlay=()
for setting; do
    [[ $setting == *=* ]] || fail "expected PROPERTY=VALUE, found $setting"
    name=${setting%%=*}
    find_element "$name"
    declare -n properties=$element
    properties+=("${name##*::}=${setting#*=}")
done

read_photo | gst-launch-1.0 -q "${source[@]}" ! \
    emotionfacedetect "${emotionfacedetect[@]}" ! \
    emotionclassify "${emotionclassify[@]}" ! \
    emotionoverlay "${emotionoverlay[@]}" ! \
    videoconvert ! pngenc snapshot=true ! filesink location="$out"
printf 'wrote %s\n' "$out"
