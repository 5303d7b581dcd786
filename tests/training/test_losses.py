"""Losses and penalties are what their formulas say."""

import math

import pytest
import torch

from avatargan.attributes import Taxonomy
from avatargan.training.losses import (
    IGNORED,
    class_accuracy,
    class_loss,
    class_targets,
    critic_loss,
    generator_loss,
    relativistic_critic_loss,
    relativistic_generator_loss,
)
from avatargan.training.regularizers import (
    dragan_penalty,
    dragan_perturbation,
    gradient_norm,
    r1_penalty,
    r2_penalty,
    score_gradient,
)


def softplus(x):
    return math.log1p(math.exp(x))


def doubles(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def quadratic():
    """A critic whose gradient is known: D(x) = 1/2 a |x|^2 + b . x, so grad D(x) = a x + b."""
    torch.manual_seed(0)
    a = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    b = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)

    def score(x):
        return 0.5 * a * x.square().sum(dim=(1, 2, 3)) + (b * x).sum(dim=(1, 2, 3))

    return score, a, b


def test_critic_loss_is_the_logistic_loss_by_hand():
    loss = critic_loss(doubles(2.0, -1.0), doubles(0.5, -3.0, 1.0))
    real = (softplus(-2.0) + softplus(1.0)) / 2
    fake = (softplus(0.5) + softplus(-3.0) + softplus(1.0)) / 3
    assert loss.item() == pytest.approx(real + fake, rel=1e-14)


def test_generator_loss_by_hand_and_its_gradient_does_not_saturate():
    scores = doubles(-30.0, 0.0, 4.0).requires_grad_()
    loss = generator_loss(scores)
    loss.backward()
    expected = (softplus(30.0) + softplus(0.0) + softplus(-4.0)) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-14)
    # The derivative of softplus(-s) is -sigmoid(-s): near -1 where the critic is sure of a fake.
    assert scores.grad[0].item() == pytest.approx(-1 / 3, rel=1e-9)


@pytest.mark.parametrize("loss", [lambda x: critic_loss(x[:3], x[3:]), generator_loss])
def test_gradients_of_losses_agree_with_finite_differences(loss):
    x = torch.linspace(-3, 3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (x,))


def test_class_loss_by_hand_passes_over_unknown_labels():
    taxonomy = Taxonomy({"style": ["a"], "hair": ["red", "blue", "unknown"], "hat": ["no", "yes"]})
    classes = {
        "hair": doubles(1.0, 3.0, 2.0, 0.0).reshape(2, 2),
        "hat": doubles(0, 1, 2, 5, 1, 1).reshape(3, 2),
    }
    labels = {
        "style": torch.tensor([0, 0]),
        "hair": torch.tensor([1, 2]),  # blue, unknown
        "hat": torch.tensor([0, 0, 1]),
    }
    hair = math.log(math.exp(1) + math.exp(3)) - 3
    hat = [math.log(1 + math.e), math.log(math.exp(2) + math.exp(5)) - 2, math.log(2)]
    expected = hair + sum(hat) / 3
    assert class_loss(classes, labels, taxonomy).item() == pytest.approx(expected, rel=1e-6)


def test_class_loss_of_unknown_labels_alone_is_zero_and_teaches_nothing():
    taxonomy = Taxonomy({"hair": ["red", "blue", "unknown"]})
    scores = torch.randn(4, 2, requires_grad=True)
    loss = class_loss({"hair": scores}, {"hair": torch.full((4,), 2)}, taxonomy)
    loss.backward()
    assert loss.item() == 0
    assert scores.grad.abs().sum() == 0


def test_targets_leave_out_unknown_wherever_it_stands():
    choices = ("red", "unknown", "blue")
    assert class_targets(torch.tensor([0, 1, 2]), choices).tolist() == [0, IGNORED, 1]


def test_accuracy_counts_known_labels_only():
    scores = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    labels = torch.tensor([0, 1, 1, 2])
    accuracy = class_accuracy(scores, labels, ("red", "blue", "unknown"))
    assert accuracy.item() == pytest.approx(2 / 3)


def test_gradient_norm_is_over_the_whole_picture_not_over_channels():
    gradient = torch.ones(2, 3, 4, 5, dtype=torch.float64)
    assert gradient_norm(gradient).tolist() == pytest.approx([math.sqrt(60)] * 2)


def test_gradient_of_the_score_is_the_known_one(quadratic):
    score, a, b = quadratic
    x = torch.randn(5, 3, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(score_gradient(score, x), a * x + b)


def test_dragan_penalty_by_hand(quadratic):
    score, a, b = quadratic
    x = torch.randn(4, 3, 2, 2, dtype=torch.float64)
    norms = [(a * picture + b).square().sum().sqrt() for picture in x]
    expected = sum((norm - 1) ** 2 for norm in norms) / 4
    torch.testing.assert_close(dragan_penalty(score, x), expected)


def test_r1_penalty_by_hand(quadratic):
    score, a, b = quadratic
    x = torch.randn(4, 3, 2, 2, dtype=torch.float64)
    expected = sum((a * picture + b).square().sum() for picture in x) / 8
    torch.testing.assert_close(r1_penalty(score, x), expected)


@pytest.mark.parametrize("penalty", [dragan_penalty, r1_penalty, r2_penalty])
def test_what_a_penalty_teaches_agrees_with_finite_differences(penalty):
    """The double backward through a critic with convolutions, by its weights; and once more."""
    torch.manual_seed(1)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    kernel = torch.randn(2, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    last = torch.randn(2, dtype=torch.float64, requires_grad=True)

    def of_weights(kernel, last):
        def score(images):
            features = torch.nn.functional.softplus(torch.conv2d(images, kernel, padding=1))
            return features.mean(dim=(2, 3)).square() @ last

        return penalty(score, x)

    assert torch.autograd.gradcheck(of_weights, (kernel, last))
    assert torch.autograd.gradgradcheck(of_weights, (kernel, last))


def test_perturbation_by_hand():
    x = torch.arange(12, dtype=torch.float64).reshape(2, 1, 2, 3)
    noise = torch.full_like(x, 0.25)
    deviation = torch.tensor(2.0, dtype=torch.float64)
    moved = dragan_perturbation(x, doubles(0.0, 1.0), noise, deviation)
    torch.testing.assert_close(moved[0], x[0])
    torch.testing.assert_close(moved[1], x[1] + 0.5 * 2.0 * 1.0 * (2 * 0.25 - 1))


def test_relativistic_losses_compare_each_fake_with_its_real_picture():
    real, fake = doubles(2.0, -1.0), doubles(0.5, 3.0)
    critic = (softplus(0.5 - 2.0) + softplus(3.0 + 1.0)) / 2
    generator = (softplus(2.0 - 0.5) + softplus(-1.0 - 3.0)) / 2
    assert relativistic_critic_loss(real, fake).item() == pytest.approx(critic, rel=1e-14)
    assert relativistic_generator_loss(real, fake).item() == pytest.approx(generator, rel=1e-14)


def test_the_noise_of_dragan_brightens_nothing_and_keeps_its_size():
    torch.manual_seed(0)
    x, noise = torch.zeros(64, 3, 16, 16), torch.rand(64, 3, 16, 16)
    moved = dragan_perturbation(x, torch.ones(64), noise, torch.tensor(1.0))
    assert moved.mean().abs() < 0.003
    assert moved.square().mean().item() == pytest.approx(0.25 / 3, rel=0.02)
