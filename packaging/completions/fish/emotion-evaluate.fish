# SPDX-License-Identifier: MIT OR Apache-2.0
# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_emotion_evaluate_global_optspecs
    string join \n h/help V/version
end

function __fish_emotion_evaluate_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_emotion_evaluate_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_emotion_evaluate_using_subcommand
    set -l cmd (__fish_emotion_evaluate_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c emotion-evaluate -n "__fish_emotion_evaluate_needs_command" -s h -l help -d 'Print help'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_needs_command" -s V -l version -d 'Print version'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_needs_command" -f -a "expression" -d 'Measures an expression model on cropped faces'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_needs_command" -f -a "detection" -d 'Measures face detectors on the same photos'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_needs_command" -f -a "agreement" -d 'Compares people\'s ratings of segments of files with a table of emotion-scan'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand expression" -l model -d 'ONNX file with a model.toml beside it, or the name of a model that is compiled in' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand expression" -l jobs -d 'Number of networks that run in parallel; 0 for the number of cores' -r
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand expression" -l json -d 'Write all metrics to this JSON file' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand expression" -l svg -d 'Write confusion matrices and reliability diagrams to this folder' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand expression" -l conditions -d 'Also measure degraded pictures: covered, dark, blurred, small, rotated, inaccurately cropped'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand expression" -s h -l help -d 'Print help'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand detection" -l model -d 'ONNX file of a detector, recognised by its outputs, or the name of a model that is compiled in; may be given several times' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand detection" -l detect-size -d 'Longer side of the network\'s input, 0 for the photo\'s own; may be given several times' -r
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand detection" -l iou -d 'Minimum IoU (intersection over union) of a box and the face that it hits' -r
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand detection" -l only -d 'File with the names of the photos to measure, one per line; the default is all' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand detection" -l face-free -d 'File with the names of photos without faces, one per line; every box on them is a false positive, whatever their labels are' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand detection" -l json -d 'Write all metrics to this JSON file' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand detection" -s h -l help -d 'Print help'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand agreement" -l json -d 'Write all figures to this JSON file' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand agreement" -l svg -d 'Write the confusion matrix to this SVG file' -r -F
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand agreement" -s h -l help -d 'Print help'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand help; and not __fish_seen_subcommand_from expression detection agreement help" -f -a "expression" -d 'Measures an expression model on cropped faces'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand help; and not __fish_seen_subcommand_from expression detection agreement help" -f -a "detection" -d 'Measures face detectors on the same photos'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand help; and not __fish_seen_subcommand_from expression detection agreement help" -f -a "agreement" -d 'Compares people\'s ratings of segments of files with a table of emotion-scan'
complete -c emotion-evaluate -n "__fish_emotion_evaluate_using_subcommand help; and not __fish_seen_subcommand_from expression detection agreement help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
