# SPDX-License-Identifier: MIT OR Apache-2.0
"""How long a model takes on one core."""

import time

import numpy as np

BATCHES = (1, 5, 16)


def print_times(prepare, repeats=300):
    """Print the milliseconds per face, median and best of many runs, for some batch sizes.

    prepare  a function of the batch size that returns a function without arguments: one run of the model
    """
    for batch in BATCHES:
        run, times = prepare(batch), []
        for _ in range(repeats):
            began = time.perf_counter()
            run()
            times.append((time.perf_counter() - began) * 1e3 / batch)
        print(f"batch {batch:2d}: median {np.median(times):.2f}, best {min(times):.2f} ms per face")
