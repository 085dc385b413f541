# SPDX-License-Identifier: MIT OR Apache-2.0
"""Precision, averages of weights, the schedule of the learning rate, and weight decay."""

import math

import torch


def mixed_precision(device, **options):
    """A context that computes in bfloat16, except on a CPU that only emulates it, where a step takes ten times as long.

    options  of `torch.autocast`
    """
    enabled = device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled, **options)


class MovingAverage:
    """Exponential moving average of all weights and batch norm statistics."""

    def __init__(self, network, decay):
        self.decay = decay
        self.steps = 0
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()}

    def load(self, state, steps):
        """Continue from a stored average that has had `steps` updates."""
        self.steps = steps
        for name, value in state.items():
            self.state[name].copy_(value)

    @torch.no_grad()
    def update(self, network):
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for name, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)


def learning_rate_factor(step, steps, warmup):
    """The share of the peak learning rate at a step, 0..1: linear warm-up, then half a cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def decay_groups(network, weight_decay):
    """Parameter groups of an optimiser: weight decay for matrices and kernels, none for biases and norms."""
    kernels = [p for p in network.parameters() if p.dim() > 1]
    others = [p for p in network.parameters() if p.dim() <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
