# SPDX-License-Identifier: MIT OR Apache-2.0
# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_emotion_global_optspecs
    string join \n h/help V/version
end

function __fish_emotion_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_emotion_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_emotion_using_subcommand
    set -l cmd (__fish_emotion_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c emotion -n "__fish_emotion_needs_command" -s h -l help -d 'Print help'
complete -c emotion -n "__fish_emotion_needs_command" -s V -l version -d 'Print version'
complete -c emotion -n "__fish_emotion_needs_command" -f -a "camera" -d 'Finds faces in the video of SOURCE, scores their apparent expression, and serves, publishes and records them'
complete -c emotion -n "__fish_emotion_needs_command" -f -a "dashboard" -d 'Shows faces and their apparent expressions live on a web page'
complete -c emotion -n "__fish_emotion_needs_command" -f -a "evaluate" -d 'Measures models on labelled data, with the preprocessing of the GStreamer elements'
complete -c emotion -n "__fish_emotion_needs_command" -f -a "photo" -d 'Tells what a photo is, and writes it upright as PNG'
complete -c emotion -n "__fish_emotion_needs_command" -f -a "report" -d 'Makes a page of an export of faces: timelines, shares and pictures'
complete -c emotion -n "__fish_emotion_needs_command" -f -a "scan" -d 'Finds faces in photos and recordings, scores their apparent expression, and writes one table'
