# SPDX-License-Identifier: MIT OR Apache-2.0
"""The loop of most demos: OpenCV's Haar cascade, then mini-XCEPTION on each face, on one thread.

    python_loop.py CLIP.rgb COUNT CASCADE.xml MINI_XCEPTION.onnx    runs the network in onnxruntime
    python_loop.py CLIP.rgb COUNT CASCADE.xml keras                 runs it in Keras, one `predict` per face

COUNT frames are processed. After the last frame of the clip comes the first one.
The weights in Keras are random, which does not affect the time.
"""
import sys

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 480  # of the frame
FACE_SIZE = 64  # of the network's input


def onnx_classifier(model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    model_input = session.get_inputs()[0]
    axes = (0, -1) if model_input.shape[-1] == 1 else (0, 1)  # NHWC or NCHW
    return lambda face: session.run(None, {model_input.name: np.expand_dims(face, axes)})


def keras_classifier():
    """mini-XCEPTION, from Arriaga et al., "Real-time Convolutional Neural Networks for Emotion and Gender
    Classification", 2017."""
    import keras
    from keras import layers

    def conv(x, filters):
        return layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(filters, 3, use_bias=False)(x)))

    def block(x, filters):
        shortcut = layers.BatchNormalization()(layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(x))
        x = layers.BatchNormalization()(layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x))
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(layers.ReLU()(x))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(layers.BatchNormalization()(x))
        return layers.Add()([x, shortcut])

    x = model_input = keras.Input((FACE_SIZE, FACE_SIZE, 1))
    for filters in (8, 8):
        x = conv(x, filters)
    for filters in (16, 32, 64, 128):
        x = block(x, filters)
    x = layers.Softmax()(layers.GlobalAveragePooling2D()(layers.Conv2D(7, 3, padding="same")(x)))
    model = keras.Model(model_input, x)
    return lambda face: model.predict(face[None, :, :, None], verbose=0)


def main(file, count, cascade_file, network):
    cv2.setNumThreads(1)
    classify = keras_classifier() if network == "keras" else onnx_classifier(network)
    cascade = cv2.CascadeClassifier(cascade_file)
    frames = np.fromfile(file, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    for number in range(int(count)):
        grey = cv2.cvtColor(frames[number % len(frames)], cv2.COLOR_RGB2GRAY)
        for x, y, w, h in cascade.detectMultiScale(grey, scaleFactor=1.25, minNeighbors=3, minSize=(30, 30)):
            face = cv2.resize(grey[y : y + h, x : x + w], (FACE_SIZE, FACE_SIZE)).astype(np.float32)
            classify((face / 255 - 0.5) * 2)


main(*sys.argv[1:])
