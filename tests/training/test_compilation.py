"""Where the compiler fails, training goes on without it, and says so."""

import pytest
import torch
from torch import nn

from avatargan.training.compilation import compiled_or_not


class Backward(torch.autograd.Function):
    """Computes, and fails only in the backward pass, as compilers do."""

    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        raise RuntimeError("no compiler found\nand a long explanation")


@pytest.fixture
def network():
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def trial(call):
    return call(torch.ones(4, 3)).sum()


def test_a_compiler_that_fails_late_is_left_out(network, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda module, **_: lambda x: Backward.apply(module(x)))
    call, problem = compiled_or_not(network, trial)
    assert call is network
    assert problem == "RuntimeError: no compiler found"


def test_the_trial_leaves_no_trace(network, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    call, problem = compiled_or_not(network, trial)
    assert (call, problem) == (network, None)
    for name, values in network.state_dict().items():
        assert torch.equal(values, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_too_little_memory_is_not_taken_for_a_fault_of_the_compiler(network, monkeypatch):
    def full(module, **_):
        def call(x):
            raise torch.OutOfMemoryError("out of memory")

        return call

    monkeypatch.setattr(torch, "compile", full)
    with pytest.raises(torch.OutOfMemoryError):
        compiled_or_not(network, trial)
