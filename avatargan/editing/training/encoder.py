"""Training of the encoder on what the generator itself drew, so that w and labels are known."""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from avatargan.editing.encoder import SIZE, EditEncoder
from avatargan.editing.training.samples import read_samples
from avatargan.editing.training.visible import VisibleBasis
from avatargan.latents import FloatArray
from avatargan.networks import Generator
from avatargan.tagging.augmentation import paper_background

#: Coordinates that are learnt; what comes after them does not show.
CODE_DIM = 160
BATCH = 64
LEARNING_RATE = 2e-3
#: Errors of a coordinate count by this power of how much it shows.
SHOWN_POWER = 0.5
LABEL_WEIGHT = 0.1
#: Every so-manieth character is held out.
HELD_OUT = 40
OTHER_GROUND, TONED, BLURRED, COMPRESSED = 0.3, 0.5, 0.25, 0.25


@dataclass(frozen=True)
class Samples:
    """Pictures at the encoder's size with what they were drawn from.

    Attributes:
        pictures: ``[N, 3, 64, 64]`` uint8.
        paper: ``[N, 64, 64]``, where white paper reaches the border.
        w: ``[N, w_dim]``.
        labels: ``[N, 3]``: style, hair, eyes.
    """

    pictures: Tensor
    paper: Tensor
    w: FloatArray
    labels: Tensor


def read_small(folder: Path, palettes: dict[int, tuple[int, int]]) -> Samples:
    """Read every sample, reduced to the encoder's size.

    Args:
        folder: of samples.
        palettes: by the index of the picture of a character, its labels, where they are not those
            of the shard.
    """
    pictures, w, labels = [], [], []
    for pixels, ws, rows in read_samples(folder):
        for start in range(0, len(pixels), 256):
            part = torch.from_numpy(np.array(pixels[start : start + 256]))
            small = functional.avg_pool2d(
                part.flatten(0, 1).permute(0, 3, 1, 2).float(), part.shape[2] // SIZE
            )
            pictures.append(small.round().byte())
        shown = pixels.shape[1]
        w.append(np.repeat(ws, shown, axis=0))
        for row in rows:
            for index in range(shown):
                labels.append([row[0], *palettes.get(index, row[1:3])])
    every = torch.cat(pictures)
    paper = paper_background(np.ascontiguousarray(every.permute(0, 2, 3, 1).numpy()))
    return Samples(every, torch.from_numpy(paper), np.concatenate(w), torch.tensor(labels).long())


def train_encoder(
    generator: Generator,
    folder: Path,
    basis: VisibleBasis,
    palettes: dict[int, tuple[int, int]],
    *,
    seconds: float,
    seed: int = 0,
    refresh: float = 300,
) -> Iterator[tuple[EditEncoder, dict[str, float]]]:
    """Train an encoder; yield it now and then with its held-out figures, and at the end.

    Args:
        generator: what drew the samples.
        folder: of samples; those that are drawn meanwhile are used too.
        basis: coordinates of w.
        palettes: see :func:`read_small`.
        seconds: of the clock.
        seed: of all that is random.
        refresh: seconds after which the folder is read again.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    encoder = EditEncoder(generator.attributes, generator.w_dim, CODE_DIM)
    encoder.mean.copy_(torch.from_numpy(basis.mean))
    encoder.basis.copy_(torch.from_numpy(basis.basis[:, :CODE_DIM]))
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = torch.from_numpy(basis.shown[:CODE_DIM] ** SHOWN_POWER)
    weights = weights / weights.sum()
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    began = read_at = time.monotonic()
    samples = read_small(folder, palettes)
    codes = torch.from_numpy(basis.encode(samples.w)[:, :CODE_DIM])
    step, reported, seen = 0, began, 0
    while (elapsed := time.monotonic() - began) < seconds:
        if time.monotonic() - read_at > refresh and elapsed < 0.8 * seconds:
            samples = read_small(folder, palettes)
            codes = torch.from_numpy(basis.encode(samples.w)[:, :CODE_DIM])
            read_at = time.monotonic()
        per_character = _characters(samples.w)
        rows = torch.from_numpy(random.integers(len(codes), size=BATCH))
        rows = rows[torch.from_numpy(per_character[rows] % HELD_OUT != 0)]
        rate = min(1.0, step / 100) * 0.5 * (1 + np.cos(np.pi * elapsed / seconds))
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * rate
        batch = augment(samples.pictures[rows], samples.paper[rows], random)
        with torch.autocast("cpu", torch.bfloat16):
            code, scores = encoder(batch.contiguous(memory_format=torch.channels_last))
        loss = ((code.float() - codes[rows]).square() @ weights).mean()
        for column, name in enumerate(generator.attributes):
            loss = loss + LABEL_WEIGHT * functional.cross_entropy(
                scores[name].float(), samples.labels[rows, column]
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 5.0)
        optimiser.step()
        step, seen = step + 1, seen + len(rows)
        if time.monotonic() - reported > 60:
            reported = time.monotonic()
            figures = held_out(encoder, samples, codes, weights, per_character)
            yield encoder, {"seconds": elapsed, "seen": seen, "of": len(codes), **figures}
    figures = held_out(encoder, samples, codes, weights, _characters(samples.w))
    yield encoder, {"seconds": seconds, "seen": seen, "of": len(codes), **figures}


def _characters(w: FloatArray) -> np.ndarray:
    """Return a number for each sample that all pictures of one character share."""
    new = np.any(w[1:] != w[:-1], axis=1)
    return np.concatenate([[0], np.cumsum(new)])


@torch.inference_mode()
def held_out(
    encoder: EditEncoder,
    samples: Samples,
    codes: Tensor,
    weights: Tensor,
    characters: np.ndarray,
) -> dict[str, float]:
    """Return the share of the visible variance that is left, and how often labels are right."""
    rows = torch.from_numpy(np.flatnonzero(characters % HELD_OUT == 0)[-512:])
    encoder.eval()
    code, scores = encoder(samples.pictures[rows].float() / 127.5 - 1)
    encoder.train()
    figures = {
        "left": float(((code - codes[rows]).square() @ weights).mean()),
        "left of 10": float((code - codes[rows])[:, :10].square().mean()),
    }
    for column, name in enumerate(encoder.attributes):
        right = scores[name].argmax(1) == samples.labels[rows, column]
        figures[name] = float(right.float().mean())
    return figures


def augment(pictures: Tensor, paper: Tensor, random: np.random.Generator) -> Tensor:
    """Return what the same face would look like elsewhere: ``[B, 3, 64, 64]`` in [-1, 1].

    Faces stay nearly where they are, for where they are is part of w.

    Args:
        pictures: ``[B, 3, 64, 64]`` uint8.
        paper: ``[B, 64, 64]``.
        random: decides everything.
    """
    batch = len(pictures)
    x = pictures.float() / 255

    def some(share: float) -> Tensor:
        return torch.from_numpy(random.random(batch) < share)[:, None, None, None]

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        values = random.uniform(low, high, (batch, channels, 1, 1))
        return torch.from_numpy(values.astype(np.float32))

    ground = uniform(0, 1, 3).expand(-1, -1, SIZE, SIZE)
    slope = torch.linspace(-1, 1, SIZE)
    ground = ground + uniform(-0.3, 0.3) * slope[:, None] + uniform(-0.3, 0.3) * slope
    x = torch.where(some(OTHER_GROUND) & paper[:, None], ground.clamp(0, 1), x)
    gray = x.mean(1, keepdim=True)
    toned = gray + (x - gray) * uniform(0.7, 1.25)
    toned = (toned - 0.5) * uniform(0.75, 1.2) + 0.5 + uniform(-0.1, 0.1)
    toned = toned.clamp(0, 1) ** uniform(0.8, 1.25) * uniform(0.93, 1.0, 3)
    x = torch.where(some(TONED), toned, x)
    blurred = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.where(some(BLURRED), torch.lerp(x, blurred, uniform(0.3, 1)), x)
    matrix = torch.zeros(batch, 2, 3)
    angle, zoom = uniform(-0.06, 0.06)[:, 0, 0, 0], uniform(0.95, 1.05)[:, 0, 0, 0]
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos() * zoom
    matrix[:, 0, 1], matrix[:, 1, 0] = -angle.sin() * zoom, angle.sin() * zoom
    matrix[:, :, 2] = uniform(-0.05, 0.05, 2)[:, :, 0, 0]
    grid = functional.affine_grid(matrix, [batch, 3, SIZE, SIZE], align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    compressed = np.flatnonzero(random.random(batch) < COMPRESSED)
    for row in compressed:
        x[row] = _jpeg(x[row], int(random.integers(30, 90)))
    return x.clamp(0, 1) * 2 - 1


def _jpeg(picture: Tensor, quality: int) -> Tensor:
    buffer = io.BytesIO()
    pixels = (picture.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(buffer, "jpeg", quality=quality)
    with Image.open(buffer) as again:
        return torch.from_numpy(np.array(again)).permute(2, 0, 1).float() / 255
