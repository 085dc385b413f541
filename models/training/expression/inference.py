# SPDX-License-Identifier: MIT OR Apache-2.0
"""Outputs of a torch network or of an exported model for pictures."""

import numpy as np

from training.expression.dataset import normalise


def torch_logits(network, images, batch=256):
    """Logits [N, classes] of each head of a torch network, in evaluation mode, for pictures [N, 48, 48] 0..255."""
    import torch

    device = next(network.parameters()).device
    network.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            x = torch.from_numpy(normalise(images[start : start + batch])).to(device)
            parts.append([head.float().cpu().numpy() for head in network(x)])
    return tuple(np.concatenate(head) for head in zip(*parts))


def onnx_outputs(model, outputs, images, batch=256):
    """Named outputs of an ONNX file, or of an open `InferenceSession`, for pictures [N, 48, 48] 0..255."""
    import onnxruntime

    session = (
        model if hasattr(model, "run") else onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    )
    parts = [
        session.run(outputs, {"input": normalise(images[start : start + batch])})
        for start in range(0, len(images), batch)
    ]
    return tuple(np.concatenate(output) for output in zip(*parts))


def onnx_logits(model, images, batch=256):
    """(ferplus [N, 8], fer2013 [N, 7]) of an ONNX file, or of an open `InferenceSession`."""
    return onnx_outputs(model, ["ferplus", "fer2013"], images, batch)


def onnx_scores(model, images, batch=256, output="scores"):
    """The probabilities [N, 8] of the element, of an ONNX file or of an open `InferenceSession`.

    `output` is `scores`, for the prior `natural`, or `balanced`.
    """
    return onnx_outputs(model, [output], images, batch)[0]
