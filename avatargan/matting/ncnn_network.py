"""The matting network as ncnn graphs, one for each size of picture."""

import ncnn
import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.matting.network import SIZES, STATE, MattingNetwork, Refinement, image_pyramid
from avatargan.rendering.ncnn_graph import (
    ADD,
    OUTPUT,
    Graph,
    compile_graph,
    run_graph,
)

_RELU = "0=0.0"


class NcnnMattingNetwork:
    """Runs a matting network on the CPU, one thread per picture."""

    def __init__(self, network: MattingNetwork) -> None:
        self._graphs: dict[int, ncnn.Net] = {
            size: compile_graph(_graph(network, refinements))
            for refinements, size in enumerate(SIZES, start=1)
        }

    def __call__(self, picture: Tensor) -> Tensor:
        """Map a picture ``[1, 3, S, S]`` in [0, 1], S in SIZES, to alpha ``[1, 1, S, S]``."""
        inputs = {}
        for index, level in enumerate(image_pyramid(picture)):
            groups = functional.pixel_unshuffle(level, 2)[0].contiguous().numpy()
            inputs[_level(index)] = groups
        alpha = run_graph(self._graphs[picture.shape[-1]], inputs)
        return torch.from_numpy(alpha)[None]


def _level(index: int) -> str:
    return f"level{index}"


def _graph(network: MattingNetwork, refinements: int) -> Graph:
    graph = Graph()
    first, again = graph.split(graph.input(_level(0)))
    state = _body(graph, network, first)
    for index in range(refinements):
        image = again if index == 0 else graph.input(_level(index))
        refinement = network.refinements[index]
        assert isinstance(refinement, Refinement)
        state = _refine(graph, refinement, state, image, last=index == refinements - 1)
    return graph


def _conv(graph: Graph, blob: str, conv: nn.Module, relu: bool = True) -> str:
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    return graph.conv(
        blob, conv.weight.detach(), conv.bias.detach(), stride=conv.stride[0], relu=relu
    )


def _body(graph: Graph, network: MattingNetwork, x: str) -> str:
    x = _conv(graph, x, network.enter)
    skips = []
    for level, look in enumerate(network.look):
        x = _conv(graph, x, look)
        if level < len(network.down):
            x, skip = graph.split(x)
            skips.append(skip)
            x = _conv(graph, x, network.down[level])
    for layer in network.bottom:
        x = _conv(graph, x, layer)
    for level in reversed(range(len(network.up))):
        x = graph.enlarge(_conv(graph, x, network.up[level], relu=False), 2)
        x = graph.layer("ReLU", [graph.binary(ADD, x, skips[level])], _RELU)
        x = _conv(graph, x, network.fuse[level])
    return _conv(graph, x, network.leave, relu=False)


def _refine(graph: Graph, refinement: Refinement, state: str, image: str, last: bool) -> str:
    state, old = graph.split(state)
    x = _conv(graph, graph.concatenate(image, state), refinement.head)
    x = _conv(graph, x, refinement.body)
    kernel, bias = refinement.tail.weight.detach(), refinement.tail.bias
    assert bias is not None
    bias = bias.detach()
    if not last:
        x = graph.pixel_shuffle(graph.conv(x, kernel, bias), 2)
        return graph.binary(ADD, x, graph.enlarge(old, 2))
    # Of the last state only the logit is wanted, the first channel.
    x = graph.pixel_shuffle(graph.conv(x, kernel[:4], bias[:4]), 2)
    choose = torch.zeros(1, STATE, 1, 1)
    choose[0, 0] = 1
    enlarged = graph.enlarge(graph.conv(old, choose, None), 2)
    return graph.layer("Sigmoid", [graph.binary(ADD, x, enlarged)], name=OUTPUT)
