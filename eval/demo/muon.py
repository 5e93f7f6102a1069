"""Muon: momentum whose update is orthogonalised by Newton-Schulz steps.

A float32 version for weight matrices that handles all matrices of one shape
at once; it needs far fewer steps than AdamW to train the small base.
"""

import torch


def orthogonalised(update: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Pushes the singular values of each matrix of a stack towards one."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = update.size(-2) > update.size(-1)
    x = update.mT if tall else update
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """The optimiser for a list of 2-D weights."""

    def __init__(self, weights, lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        shapes: dict[torch.Size, list] = {}
        for weight in weights:
            shapes.setdefault(weight.shape, []).append(weight)
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__([{"params": group} for group in shapes.values()], defaults)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            weights = group["params"]
            gradients = torch.stack([w.grad for w in weights])
            state = self.state[weights[0]]
            average = state.setdefault("average", torch.zeros_like(gradients))
            average.lerp_(gradients, 1 - group["momentum"])
            update = orthogonalised(gradients.lerp(average, group["momentum"]))
            rows, columns = weights[0].shape
            scale = group["lr"] * max(1.0, rows / columns) ** 0.5
            for weight, change in zip(weights, update, strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(change, alpha=scale)
