# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c emotion-camera -l record-source -d 'Record this video of a network camera instead, such as its large profile, while the small one is analysed; off records SOURCE' -r
complete -c emotion-camera -l config -d 'Read settings from a TOML file, or from standard input if it is -; the command line wins. Tables [[camera]] in it are cameras' -r -F
complete -c emotion-camera -l name -d 'Name of the camera in every record; without it, the host, the device or the name of the file' -r
complete -c emotion-camera -l size -d 'Largest size of the served and encoded picture, which keeps its proportions, and of a camera\'s picture at /dev/video0. The picture of a network camera is analysed as it is' -r
complete -c emotion-camera -l turn -d 'Turn the picture of a camera that is mounted sideways or upside down, by so many degrees clockwise, or mirror it, before it is analysed, served and recorded; recordings are then encoded' -r -f -a "90\t'A quarter turn, clockwise'
180\t'A half turn'
270\t'A quarter turn, counterclockwise'
mirror\t'Left and right exchanged'"
complete -c emotion-camera -l latency -d 'Length of a network camera\'s jitter buffer, in milliseconds' -r
complete -c emotion-camera -l protocol -d 'Protocol to a network camera' -r -f -a "tcp\t''
udp\t''"
complete -c emotion-camera -l stream -d 'Which video of a network camera that has several, from 1' -r
complete -c emotion-camera -l fps -d 'Analyse at most this many frames a second; without it, all' -r
complete -c emotion-camera -l skip-frame -d 'Frames that are neither decoded nor analysed, but recorded if the picture is the camera\'s own. It makes no difference to cameras whose frames all need the one before' -r -f -a "none\t'None'
noref\t'Those of H.264 and H.265 that no other frame needs'"
complete -c emotion-camera -l max-delay -d 'Time that a frame may wait for those before it. Later ones are skipped. Cameras that send several frames at once need it; 0 is for the newest frame only' -r
complete -c emotion-camera -l clock -d 'Whose clock gives the time of day of records' -r -f -a "camera\t'The camera\'s, if it reports its time and that is within 10 seconds of this machine\'s'
arrival\t'This machine\'s, when a frame arrives'"
complete -c emotion-camera -l stall -d 'Time without data before the source is opened again' -r
complete -c emotion-camera -l prior -d 'How frequent the expressions are assumed to be' -r -f -a "natural\t'As in front of a camera'
balanced\t'All alike, as in posed or selected pictures'"
complete -c emotion-camera -l baseline -d 'What scores are relative to' -r -f -a "none\t'All people'
track\t'How the face looks at rest, learnt from its track and forgotten with it'"
complete -c emotion-camera -l draw -d 'Draw faces in the served and recorded picture' -r -f -a "true\t''
false\t''"
complete -c emotion-camera -l labels -d 'Text of the labels, such as happiness=glücklich,anger=Ärger' -r
complete -c emotion-camera -l blur -d 'How to hide faces in the served, recorded and sent picture' -r -f -a "none\t'Faces are left unchanged'
pixelate\t'A mosaic of a few blocks'
blur\t'Smooth transitions between the colours of a few blocks'
solid\t'A uniform grey'"
complete -c emotion-camera -l blur-delay -d 'With --blur: how long frames are held back, so that a face is hidden from before it was found until after it was lost, in milliseconds' -r
complete -c emotion-camera -l recall -d 'How many faces may be missed. High is for hiding faces: more other things are taken for one, and each search takes longer' -r -f -a "balanced\t'Few, and few other things are taken for faces'
high\t'As few as possible, to hide faces'"
complete -c emotion-camera -l push -d 'Send the picture to a server of rtmp, rtmps, rtsp, rtsps, srt, whip+http or whip+https, or as HLS to a folder for a web server, hls:FOLDER; several times for several. Other users of the machine can read passwords and keys in the list of processes: prefer the file of --config' -r
complete -c emotion-camera -l push-video -d 'Picture that is sent. With --blur, and if the camera sends something else than H.264, it is encoded at --size' -r -f -a "camera\t'The camera\'s own, without encoding it again'
drawn\t'The served one, with faces drawn'"
complete -c emotion-camera -l rtsp-listen -d 'Serve the picture and the records by RTSP; off serves nothing' -r
complete -c emotion-camera -l rtsp-path -d 'Path of the stream' -r
complete -c emotion-camera -l rtsp-token -d 'Secret that clients need, at least 16 characters; required unless the address is a loopback address. Clients open rtsp://viewer:SECRET@ADDRESS:PORT/PATH. Other users of the machine can read it in the list of processes: prefer a file, or the environment variable EMOTION_CAMERA_TOKEN' -r
complete -c emotion-camera -l rtsp-token-file -d 'File with that secret' -r -F
complete -c emotion-camera -l rtsp-onvif -d 'Serve the faces as a third stream, of ONVIF metadata: one XML document tt:MetadataStream for each frame' -r -f -a "true\t''
false\t''"
complete -c emotion-camera -l publish-location -d 'Publish records by MQTT or NATS, for example to mqtts://user@host/emotion/door; off publishes nothing' -r
complete -c emotion-camera -l publish-schemas -d 'What to publish, separated by commas' -r -f -a "events\t'A face appears, changes its expression or leaves'
faces\t'All faces of a frame'
summary\t'Counts and means of an interval'
dlstreamer\t'All faces of a frame, as DL Streamer writes them'"
complete -c emotion-camera -l publish-hysteresis -d 'How long something lasts before it is an event, in milliseconds' -r
complete -c emotion-camera -l publish-interval -d 'Time between two records of faces or summaries, in milliseconds; 0 is every frame' -r
complete -c emotion-camera -l publish-client-id -d 'Name of the connection, unique at the broker; without it, a random one' -r
complete -c emotion-camera -l publish-mqtt-version -d 'Version of MQTT; without it, 5' -r
complete -c emotion-camera -l publish-password-file -d 'File with the password; prefer it or the environment variable GST_EMOTION_PUBLISH_PASSWORD to one in the location' -r
complete -c emotion-camera -l publish-ca-file -d 'Authorities to trust, in PEM format; without it, those of the system' -r
complete -c emotion-camera -l publish-certificate-file -d 'Certificate of this client, in PEM format' -r
complete -c emotion-camera -l publish-key-file -d 'Private key of the certificate' -r
complete -c emotion-camera -l publish-max-size-bytes -d 'Memory for messages that wait for the broker; without it, 10485760' -r
complete -c emotion-camera -l publish-spool-location -d 'Keep messages that wait in this folder, so that they survive a crash' -r
complete -c emotion-camera -l publish-max-spool-bytes -d 'Maximum size of that folder; without it, 1073741824' -r
complete -c emotion-camera -l publish-switches-file -d 'Take commands by MQTT at TOPIC/set, which switch the analysis, blur, totals only and the interval of searches, publish what is switched at TOPIC/state, and keep it in this file, so that a restart hides as much; off takes no commands' -r
complete -c emotion-camera -l publish-drain-timeout -d 'Maximum time at the end to send what waits, in milliseconds' -r
complete -c emotion-camera -l homeassistant-prefix -d 'Let Home Assistant discover the camera below this topic of the broker, usually homeassistant' -r
complete -c emotion-camera -l files-folder -d 'Record to 00000.mp4, 00000.ndjson and so on in this folder; off records nothing' -r
complete -c emotion-camera -l files-seconds -d 'Length of a recording; one of the camera\'s own H.264 or H.265 goes on until its next key frame' -r
complete -c emotion-camera -l files-video -d 'Picture that is recorded. With --blur, and if the camera sends something else than H.264 or H.265, it is encoded at --size' -r -f -a "camera\t'The camera\'s own, without encoding it again'
drawn\t'The served one, with faces drawn'"
complete -c emotion-camera -l files-sound -d 'Record the camera\'s sound beside the picture. It is not requested otherwise. With --record-source, it is the sound of that one. AAC, MP3 and Opus are recorded as they are, PCMU, PCMA and L16 are encoded as Opus' -r -f -a "true\t''
false\t''"
complete -c emotion-camera -l files-keep-days -d 'Delete this camera\'s own recordings that ended so many days ago; off, or without it, keeps them' -r
complete -c emotion-camera -l files-keep-bytes -d 'Delete this camera\'s own oldest recordings while all of them have more bytes; off, or without it, keeps them' -r
complete -c emotion-camera -l metrics-listen -d 'Serve /metrics for Prometheus by HTTP, without encryption and to anyone; off serves nothing' -r
complete -c emotion-camera -l check -d 'Check settings, files and folders, and end: with status 0, or with status 2 and the reason if one is wrong'
complete -c emotion-camera -l loop -d 'Play a file again when it ends'
complete -c emotion-camera -l geometry -d 'Estimate pose, landmarks and blendshapes of each face too: records of faces have them, and there are the events turned, eyes_closed, blink and speaking'
complete -c emotion-camera -s h -l help -d 'Print help (see more with \'--help\')'
complete -c emotion-camera -s V -l version -d 'Print version'
