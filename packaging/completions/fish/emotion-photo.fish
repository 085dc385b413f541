# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c emotion-photo -s h -l help -d 'Print help (see more with \'--help\')'
complete -c emotion-photo -s V -l version -d 'Print version'
