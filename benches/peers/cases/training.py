"""Training peers built from modules: weights by name, and the step (loss, backward pass, Adam)."""

import torch

PREFIX = "param."


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


class TrainingPeer:
    """Loss, backward pass and one Adam step of `module`, whose value for `batch` is the loss.

    `outputs` speaks of the initial weights as long as `run` has not changed them.
    """

    def __init__(self, module, batch, inputs, compiled):
        self.module, self.batch = module, batch
        self.paths = load(module, inputs)
        self.shapes = {name: inputs[PREFIX + path].shape for name, path in self.paths.items()}
        self.loss = torch.compile(module, fullgraph=True, dynamic=False) if compiled else module
        self.adam = torch.optim.Adam(module.parameters(), lr=1e-4, betas=(0.9, 0.999), eps=1e-8, fused=True)

    def outputs(self):
        self.adam.zero_grad()
        loss = self.loss(*self.batch)
        loss.backward()
        found = {"loss": loss.detach().reshape(1).numpy()}
        for name, parameter in self.module.named_parameters():
            found["grad." + self.paths[name]] = parameter.grad.reshape(self.shapes[name]).numpy().copy()
        return found

    def run(self):
        self.adam.zero_grad()
        self.loss(*self.batch).backward()
        self.adam.step()
