# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c emotion-dashboard -l config -d 'Configuration in TOML: sources, secrets of brokers, alerts' -r
complete -c emotion-dashboard -l listen -d 'Address of the page' -r
complete -c emotion-dashboard -l token -d 'Secret that viewers need, at least 16 characters; required unless the address is a loopback address. The environment variable EMOTION_DASHBOARD_TOKEN hides it from other users of the machine' -r
complete -c emotion-dashboard -l host -d 'Additional host name of the page, besides localhost and IP addresses; may be repeated' -r
complete -c emotion-dashboard -l cors -d 'Scheme and host of a page of another site that may use /v1; may be repeated' -r
complete -c emotion-dashboard -l media -d 'Folder whose files can be opened from the page' -r -F
complete -c emotion-dashboard -l data -d 'Folder for records; without it, ~/.local/state/gst-emotion/dashboard' -r -F
complete -c emotion-dashboard -l record-size -d 'Maximum size of each record on disk; the oldest lines are deleted' -r
complete -c emotion-dashboard -l max-sources -d 'Maximum number of sources, and of earlier sources whose records stay' -r
complete -c emotion-dashboard -l upload-size -d 'Maximum size of a photo or video that viewers drop onto the page, or that programs send; 0 allows no files' -r
complete -c emotion-dashboard -l blur-delay -d 'With blur: how long pictures are held back, so that a face is hidden from before it was found until after it was lost, in milliseconds' -r
complete -c emotion-dashboard -l recall -d 'How many faces may be missed. High is for hiding faces: more other things are taken for one, and each search takes longer' -r -f -a "balanced\t'Few, and few other things are taken for faces'
high\t'As few as possible, to hide faces'"
complete -c emotion-dashboard -l labels -d 'Text of labels in the pictures, such as happiness=glücklich,anger=Ärger' -r
complete -c emotion-dashboard -l api-only -d 'Serve the interface /v1 for other programs, and no page'
complete -c emotion-dashboard -l aggregate-only -d 'Draw, send and record no individual faces; each source has a switch for it'
complete -c emotion-dashboard -l blur -d 'Make faces in the pictures unrecognisable; each source has a switch for it'
complete -c emotion-dashboard -l geometry -d 'Also show where heads are turned, and blinks; the settings of each source have a switch for it'
complete -c emotion-dashboard -s h -l help -d 'Print help (see more with \'--help\')'
complete -c emotion-dashboard -s V -l version -d 'Print version'
