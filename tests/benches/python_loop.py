# SPDX-License-Identifier: MIT OR Apache-2.0
"""The loop that most demos are: OpenCV's Haar cascade, then mini-XCEPTION on each face, on one thread.

    python_loop.py FRAMES.rgb CASCADE.xml MINI_XCEPTION.onnx
"""
import sys

import cv2
import numpy as np
import onnxruntime

WIDTH, HEIGHT = 640, 480
frames, cascade_file, model = sys.argv[1:]

cv2.setNumThreads(1)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
channels_last = session.get_inputs()[0].shape[-1] == 1
cascade = cv2.CascadeClassifier(cascade_file)

count = faces_found = 0
with open(frames, "rb") as stream:
    while len(data := stream.read(WIDTH * HEIGHT * 3)) == WIDTH * HEIGHT * 3:
        frame = np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 3)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        faces = cascade.detectMultiScale(grey, scaleFactor=1.25, minNeighbors=3, minSize=(30, 30))
        for x, y, w, h in faces:
            face = cv2.resize(grey[y : y + h, x : x + w], (64, 64)).astype(np.float32)
            face = (face / 255 - 0.5) * 2
            session.run(None, {name: face[None, :, :, None] if channels_last else face[None, None]})
        count += 1
        faces_found += len(faces)
print(count, faces_found)
