# SPDX-License-Identifier: MIT OR Apache-2.0
"""What people write today for faces by HTTP: FastAPI, OpenCV's cascade, and the network of MODEL for each face. throughput.py runs it."""

import os

import cv2
import numpy as np
import onnxruntime
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

# A request has a thread of its own.
cv2.setNumThreads(1)
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = 1
CASCADE = cv2.CascadeClassifier(os.environ["CASCADE"])
NETWORK = onnxruntime.InferenceSession(os.environ["MODEL"], OPTIONS)
LABELS = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
app = FastAPI()


def faces(body):
    grey = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_GRAYSCALE)
    found = []
    for x, y, width, height in CASCADE.detectMultiScale(grey, 1.1, 5):
        face = cv2.resize(grey[y : y + height, x : x + width], (64, 64)).astype(np.float32) / 127.5 - 1
        scores = NETWORK.run(None, {"input": face[None, None]})[0][0]
        box = {"x": int(x), "y": int(y), "w": int(width), "h": int(height)}
        found.append({"box": box, "label": LABELS[int(scores.argmax())], "score": float(scores.max())})
    return found


@app.post("/v1/faces")
async def examine(request: Request):
    return {"faces": await run_in_threadpool(faces, await request.body())}
