"""ESPnet's state dict as our networks' state dicts, and back, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from models.tts.exchange.espnet.names import (
    DISCRIMINATOR,
    GENERATOR,
    MEL_STATISTICS,
    SCALAR_STATISTICS,
    MissingTensor,
    discriminator_names,
    network_names,
    to_ours,
    to_theirs,
)
from models.tts.jets.network import JetsNetwork
from utils.errors import UserError

State = dict[str, Tensor]
STATISTICS = {**SCALAR_STATISTICS, **MEL_STATISTICS}


def import_network(theirs: Mapping[str, Tensor], network: JetsNetwork, log_base: float, source: str) -> State:
    """State dict for `network` from ESPnet's; its mel statistics are of logarithms to `log_base`.

    Only names and shapes of `network` count, so that it may lie on the device "meta". Raises UserError that names
    `source` when a tensor is missing, superfluous or of the wrong size.
    """
    kernels = len(network.generator.blocks[0])
    state = _import(theirs, network, lambda name: network_names(name, kernels), GENERATOR, source)
    for name, tensor in network.state_dict().items():
        if name in STATISTICS:
            value = theirs.get(STATISTICS[name])
            neutral = torch.full(tensor.shape, 1.0 if name.endswith("std") else 0.0)
            state[name] = neutral if value is None else _statistic(value, tensor.shape, STATISTICS[name], source)
            if name in MEL_STATISTICS and value is not None and log_base != math.e:
                state[name] = (state[name].double() * math.log(log_base)).float()
    return state


def import_discriminator(theirs: Mapping[str, Tensor], discriminator: nn.Module, source: str) -> State:
    """State dict for our `discriminator` from ESPnet's."""
    return _import(theirs, discriminator, discriminator_names, DISCRIMINATOR, source)


def _import(
    theirs: Mapping[str, Tensor], module: nn.Module, names: Callable[[str], list[str]], prefix: str, source: str
) -> State:
    state, used = {}, set()
    for name, tensor in module.state_dict().items():
        if name in STATISTICS:
            continue
        parts = names(name)
        try:
            state[name] = to_ours(parts, theirs, tensor.shape)
        except MissingTensor as error:
            raise UserError(
                f"{source} has no tensor {error.args[0]}; is it a JETS checkpoint, and of this config.yaml?"
            ) from None
        except ValueError as error:
            raise UserError(f"{source}: {error}; is this the config.yaml it was trained with?") from None
        used.update(parts)
        used.update(part.rpartition(".")[0] + ".weight" for part in parts)
    for name in theirs:
        if name.startswith(prefix) and name not in used:
            raise UserError(f"{source} has the tensor {name}, for which this toolkit's JETS has no place")
    return state


def _statistic(value: Tensor, shape: torch.Size, name: str, source: str) -> Tensor:
    if value.numel() != shape.numel():
        raise UserError(f"{source}: {name} has {value.numel()} values, where the model needs {shape.numel()}")
    return value.float().reshape(shape).clone()


def export_state(network: Mapping[str, Tensor], discriminator: Mapping[str, Tensor], kernels: int) -> State:
    """ESPnet's state dict of ours; `kernels` is the number of residual blocks after each upsampling step."""
    theirs: State = {}
    for name, tensor in network.items():
        if name in STATISTICS:
            theirs[STATISTICS[name]] = tensor.detach().cpu().reshape(-1).clone()
        else:
            theirs.update(to_theirs(tensor, network_names(name, kernels)))
    for name, tensor in discriminator.items():
        theirs.update(to_theirs(tensor, discriminator_names(name)))
    return theirs
