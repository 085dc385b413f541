# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c emotion-report -l summary -d 'Print a summary instead, and write the frame of VIDEO that shows the faces best' -r -F
complete -c emotion-report -s h -l help -d 'Print help (see more with \'--help\')'
complete -c emotion-report -s V -l version -d 'Print version'
