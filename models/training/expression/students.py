# SPDX-License-Identifier: MIT OR Apache-2.0
"""Networks in training side by side, whose labels shall not change between two views of a face.

The difference between the views is a loss of its own, `disagreement`, beside the cross entropies of the heads.
"""

import numpy as np
import torch

from training.common.onnx_file import renew_batch_norm
from training.common.optimisation import mixed_precision
from training.expression.labels import HEADS
from training.expression.mirrored import make_mirrored, mirror_image
from training.expression.network import ExpressionNet, read_network
from training.expression.train import cross_entropy
from training.geometry.recorded import RecordedStep

WEIGHT_DECAY, MOMENTUM, EMA, DROPOUT = 5e-4, 0.9, 0.999, 0.05
# The networks: size, whether it starts from the shipped weights, peak learning rate, weight of the disagreement.
STUDENTS = {
    "half-4": ("half", True, 0.03, 4.0),
    "half-12": ("half", True, 0.03, 12.0),
    "even-2": ("even", False, 0.15, 2.0),
    "even-6": ("even", False, 0.15, 6.0),
}


def symmetric_divergence(logits):
    """Mean divergence between the distributions of the first half of the rows and those of the second, both ways."""
    first, second = logits.float().log_softmax(1).chunk(2)
    return ((first.exp() - second.exp()) * (first - second)).sum(1).mean()


def combined_scores(logits, matrix, bias):
    """Logits of `scores` and `balanced` [N, 8] each, by the rules of the shipped file."""
    flat = torch.cat([head.float().log_softmax(1) for head in logits], 1)
    return (flat @ matrix + bias).chunk(2, 1)


def disagreement(logits, scores):
    """How much the heads and the scores differ between the views: the first half of the rows and the second."""
    parts = [symmetric_divergence(values) for values in (*logits, *scores)]
    return sum(parts) / len(parts)


class Student:
    """A network in training, with its weights, gradients and averages in one vector each."""

    def __init__(self, name, device, batch, shipped, start=None, rate=1.0):
        size, from_shipped, peak, self.weight = STUDENTS[name]
        self.rate = peak * rate
        self.name, self.device = name, device
        self.network = ExpressionNet(size, DROPOUT, HEADS)
        if start:
            self.network.load_state_dict(torch.load(start)[name])
        elif from_shipped:
            self.network.load_state_dict(read_network(shipped).state_dict())
            renew_batch_norm(self.network, batch.cpu())
        self.even = size == "even"
        if self.even:
            make_mirrored(self.network)
        self.network.to(device).train()
        named = [*self.network.named_parameters(), *float_buffers(self.network)]
        self.places = places_of(named)
        self.order = torch.from_numpy(mirrored_order(self.network, self.places)).to(device) if self.even else None
        self.values = torch.cat([value.detach().flatten() for _, value in named])
        for (name, start, shape), (_, value) in zip(self.places, named):
            value.data = self.values[start : start + value.numel()].view(shape)
        self.count = sum(parameter.numel() for parameter in self.network.parameters())
        self.weights, self.gradients = self.values[: self.count], torch.zeros(self.count, device=device)
        self.momentum, self.average = torch.zeros_like(self.gradients), self.values.clone()
        self.steps = torch.zeros((), device=device)
        self.decay = torch.cat(
            [torch.full((p.numel(),), WEIGHT_DECAY * (p.dim() > 1)) for p in self.network.parameters()]
        ).to(device)
        for (_, start, shape), parameter in zip(self.places, self.network.parameters()):
            parameter.grad = self.gradients[start : start + parameter.numel()].view(shape)
        self.recorded = RecordedStep(self.step) if device == "cuda" else self.step

    def figures(self, *given):
        """`step`, recorded on a GPU if that is possible."""
        try:
            return self.recorded(*given).clone()
        except RuntimeError as error:
            if self.recorded == self.step:
                raise
            print(f"{self.name} is not recorded: {error!r}"[:500], flush=True)
            self.recorded = self.step
            torch.cuda.synchronize()
            return self.step(*given)

    def step(self, x, rate, matrix, bias, *targets):
        """One step on both views x [2 N, ...] with targets [N, classes] of each head; a tensor of figures."""
        with mixed_precision(x.device.type, cache_enabled=False):
            logits = self.network(x)
        scores = combined_scores(logits, matrix, bias)
        labelled = sum(cross_entropy(values, torch.cat([target, target])) for values, target in zip(logits, targets))
        apart = disagreement(logits, scores)
        self.gradients.zero_()
        (labelled + self.weight * apart).backward()
        self.descend(rate * self.rate)
        changed = [(part.chunk(2)[0].argmax(1) != part.chunk(2)[1].argmax(1)).float().mean() for part in scores]
        return torch.stack([labelled.detach(), apart.detach(), *changed])

    @torch.no_grad()
    def descend(self, rate):
        """Gradient descent with Nesterov's momentum; then mirrored filters are made equal, and the averages follow."""
        slope = self.gradients + self.decay * self.weights
        self.momentum.mul_(MOMENTUM).add_(slope)
        self.weights.sub_((slope + MOMENTUM * self.momentum) * rate)
        if self.order is not None:
            self.values.copy_((self.values + self.values[self.order]) / 2)
        self.steps.add_(1)
        self.average.lerp_(self.values, (10 / (self.steps + 10)).clamp(min=1 - EMA))

    def state(self):
        """The averaged weights, as `state_dict` has them."""
        state = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        average = self.average.cpu()
        for name, start, shape in self.places:
            state[name] = average[start : start + state[name].numel()].view(shape).clone()
        return state


def float_buffers(network):
    """(name, buffer) of the statistics of the norms."""
    return [(name, value) for name, value in network.named_buffers() if value.dtype.is_floating_point]


def places_of(named):
    """(name, start, shape) of tensors in one vector."""
    places, start = [], 0
    for name, value in named:
        places.append((name, start, value.shape))
        start += value.numel()
    return places


def mirrored_order(network, places):
    """For each number in the vector, the place of the one that it equals in a network that ignores mirroring."""
    parts = []
    for name, start, shape in places:
        numbers = start + torch.arange(int(np.prod(shape))).view(shape)
        parts.append(mirror_image(name, numbers, network.heads).flatten())
    return torch.cat(parts).numpy()
