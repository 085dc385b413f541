# SPDX-License-Identifier: MIT OR Apache-2.0
"""Steps of a training on a GPU that are recorded once and then replayed.

A small network consists of hundreds of short kernels. To launch them one by one takes several times as long as to compute them.
"""

import torch

# Steps before the recording, in which torch chooses algorithms and takes its memory.
WARM_UPS = 3


class RecordedStep:
    """`step`, a function of tensors on a GPU that returns a tensor, as a CUDA graph.

    The first call makes `WARM_UPS` steps with the same tensors and records one; each call replays it. The tensors of all calls
    must have the shapes of the first.
    """

    def __init__(self, step):
        self.step, self.graph = step, None

    def _record(self, given):
        self.given = [tensor.clone() for tensor in given]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self.step(*self.given)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.result = self.step(*self.given)

    def __call__(self, *given):
        if self.graph is None:
            self._record(given)
        for own, tensor in zip(self.given, given):
            own.copy_(tensor)
        self.graph.replay()
        return self.result
