# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c emotion-scan -l list -d 'File with further inputs, one per line; - is standard input; may be repeated' -r -F
complete -c emotion-scan -l every -d 'Seconds between examined frames; without it, every frame is examined. The keyframe nearest to each of these times is taken where keyframes are that close, since other frames then need not be decoded' -r
complete -c emotion-scan -l where-faces -d 'Look at frames at most twice so many seconds apart first, 1 without a number, and examine only the spans with faces. Keyframes are taken where they are that close' -r
complete -c emotion-scan -l prior -d 'Assumed frequency of the expressions: natural, as in front of a camera, which is the default; or balanced, all equally frequent, as in posed or selected pictures' -r -f -a "natural\t'As in front of a camera'
balanced\t'All alike, as in posed or selected pictures'"
complete -c emotion-scan -l baseline -d 'What scores in videos are relative to: none, all people, which is the default; or track, how the face of a track looks at rest, for people who look sad or angry then' -r -f -a "none\t'All people'
track\t'How the face looks at rest, learnt from its track and forgotten with it'"
complete -c emotion-scan -l turn -d 'Degrees by which pictures are turned clockwise before they are searched: 0, 90, 180 or 270; or auto: a photo with few faces is searched in all four directions. Boxes refer to the picture as it is stored' -r -f -a "auto\t'A photo with few faces is searched in all four directions'
0\t'Not at all'
90\t'90 degrees clockwise'
180\t'180 degrees'
270\t'270 degrees clockwise'"
complete -c emotion-scan -l set -d 'Property of an element, such as facedetect.tile-size=640; * is every element that has the property; may be repeated' -r
complete -c emotion-scan -l like -d 'results.json of an earlier scan, whose options and networks this scan uses; other networks are refused' -r -F
complete -c emotion-scan -l jobs -d 'Number of files or slices examined at the same time; without it, one for each core' -r
complete -c emotion-scan -s o -l output -d 'Table to write, a .parquet, .csv or .ndjson file' -r -F
complete -c emotion-scan -l partition -d 'Write the tables in parts, each of so many files: TABLE and the table of files become folders' -r
complete -c emotion-scan -l bins -d 'Also write the table of bins, TABLE with .bins before the suffix: means and standard errors over intervals of this length' -r
complete -c emotion-scan -l report -d 'Page to write, with timelines and shares' -r -F
complete -c emotion-scan -l annotated -d 'Folder for photos and videos with the faces drawn' -r -f -a "(__fish_complete_directories)"
complete -c emotion-scan -l annotations -d 'Also write the labels of each video\'s faces as intervals for a program in which people annotate; may be repeated' -r -f -a "elan\t'ELAN: an .eaf file for each video'
boris\t'BORIS: one project with an observation for each video'
textgrid\t'Praat: a .TextGrid file for each video'"
complete -c emotion-scan -l blurred -d 'Folder for copies of the photos and videos in which every face is hidden, and for a page of what to look at. No table is written, and nothing but picture and sound is copied' -r -f -a "(__fish_complete_directories)"
complete -c emotion-scan -l style -d 'With --blurred: how faces are hidden. Behind a grey, nobody can be found by comparing pictures' -r -f -a "pixelate\t'A mosaic of a few blocks'
blur\t'Smooth transitions between the colours of a few blocks'
solid\t'A uniform grey'"
complete -c emotion-scan -l sound -d 'With --blurred: whether the sound of videos is copied. People can be recognised by their voices' -r -f -a "keep\t'It is copied'
drop\t'It is left out'"
complete -c emotion-scan -l timeout -d 'Seconds without a decoded frame, or without data from a server, after which a file is given up' -r
complete -c emotion-scan -l exact -d 'Take the first frame at or after each time of --every, which decodes all frames'
complete -c emotion-scan -l geometry -d 'Estimate pose, landmarks and blendshapes of each face too: the tables get the columns of the pose, the blendshapes, of facing the camera and of blinks'
complete -c emotion-scan -s q -l quiet -d 'Print no progress'
complete -c emotion-scan -l dispatch -d 'Examine nothing here: write tasks to standard output and read their results from standard input, for a program that takes them to other machines'
complete -c emotion-scan -l worker -d 'Examine the tasks of a scan that has --dispatch and the same options; the inputs are ignored'
complete -c emotion-scan -s h -l help -d 'Print help (see more with \'--help\')'
complete -c emotion-scan -s V -l version -d 'Print version'
