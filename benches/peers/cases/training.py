"""The training step of a peer: loss, backward pass, Adam; and weights of modules by name."""

import numpy as np
import torch

PREFIX = "param."
RATE = 1e-4


class TrainingPeer:
    """Steps on one batch; `loss` is the subclass's. `parameters` are leaves by their path in the inputs."""

    def __init__(self, parameters, inputs):
        self.parameters, self.inputs = parameters, inputs
        self.optimizer = torch.optim.Adam(parameters.values(), lr=RATE, betas=(0.9, 0.999), eps=1e-8, fused=True)

    def loss(self) -> torch.Tensor:
        """The loss of the batch."""
        raise NotImplementedError

    def outputs(self) -> dict[str, np.ndarray]:
        """Loss and gradients at the initial parameters, which this restores."""
        with torch.no_grad():
            for path, p in self.parameters.items():
                p.copy_(torch.from_numpy(self.inputs[PREFIX + path]).reshape(p.shape))
                p.grad = None
        loss = self.loss()
        loss.backward()
        found = {"loss": loss.detach().reshape(1).numpy()}
        for path, p in self.parameters.items():
            gradient = torch.zeros_like(p) if p.grad is None else p.grad
            found["grad." + path] = gradient.reshape(self.inputs[PREFIX + path].shape).numpy().copy()
        return found

    def run(self) -> None:
        """One training step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss().backward()
        self.optimizer.step()


def load(module, inputs):
    """Copies the weights `param.<path>` into `module` and returns the path of each of its parameters.

    A path may hold names the module does not have (of variants of an enumeration), so the end of the path decides.
    """
    paths = [key for key in inputs if key.startswith(PREFIX)]
    found = {}
    for name, parameter in module.named_parameters():
        matches = [path for path in paths if ("." + path).endswith("." + name)]
        if len(matches) != 1:
            raise KeyError(f"{len(matches)} arrays fit the parameter {name}")
        found[name] = matches[0].removeprefix(PREFIX)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(inputs[matches[0]]).reshape(parameter.shape))
    if len(found) != len(paths):
        raise KeyError(f"{len(paths) - len(found)} arrays fit no parameter")
    return found


class ModulePeer(TrainingPeer):
    """A module whose value for `batch` is the loss."""

    def __init__(self, module, batch, inputs, compiled):
        paths = load(module, inputs)
        super().__init__({paths[name]: p for name, p in module.named_parameters()}, inputs)
        self.batch = batch
        self.module = torch.compile(module, fullgraph=True, dynamic=False) if compiled else module

    def loss(self) -> torch.Tensor:
        return self.module(*self.batch)
