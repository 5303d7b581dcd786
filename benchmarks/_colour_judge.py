"""A judge of colours that shares nothing with what it judges.

Two small convnets, trained here on half of a set of tagged faces, by content: one sees the region
of the eyes and nothing else, the other the whole face, small. The shipped tagger, the palette and
the generators were made without it.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from avatargan.dataset import open_dataset
from avatargan.dataset.copies import find_copies, shared_sources, signature

#: Side of the faces in the set; drawn ones are reduced to it.
SIDE = 64
#: Rows and columns that the judge of eyes sees.
EYES = (slice(22, 54), slice(6, 58))
STEPS = {"hair": 700, "eyes": 1500}
BATCH = 40
LEARNING_RATE = 3e-3


@dataclass(frozen=True)
class Judge:
    """Tells one attribute of faces.

    Attributes:
        attribute: hair or eyes.
        choices: what it can tell apart.
        network: scores of the choices.
        accuracy: on held-out real faces, of each choice.
    """

    attribute: str
    choices: tuple[str, ...]
    network: nn.Module
    accuracy: dict[str, float]

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> list[str]:
        """Return what it sees in pictures ``[N, 3, H, W]`` in [-1, 1], H a multiple of 64."""
        small = functional.avg_pool2d(pictures, pictures.shape[-1] // SIDE)
        seen = _cut(self.attribute, small)
        scores = self.network(seen) + self.network(seen.flip(3))
        return [self.choices[index] for index in scores.argmax(1).tolist()]


def train_judges(path: Path) -> dict[str, Judge]:
    """Train both on half of a set of tagged faces of 64 px: some minutes on one core."""
    data = open_dataset(path)
    pictures = np.array(data.decoded(SIDE))
    signatures = np.stack([signature(picture) for picture in pictures])
    sources, _ = shared_sources(data.sources, find_copies(signatures))
    own = np.array([_share(source, "half", 2) == 1 for source in sources])
    held_out = np.array([_share(source, "test", 10) == 0 for source in sources])
    faces = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    judges = {}
    for attribute in ("hair", "eyes"):
        choices = data.attributes.offered(attribute)
        names = [data.attributes[attribute][label] for label in data.labels[attribute].tolist()]
        known = np.array([name in choices for name in names])
        labels = torch.tensor([choices.index(n) if n in choices else 0 for n in names])
        train = np.flatnonzero(own & ~held_out & known)
        test = np.flatnonzero(own & held_out & known)
        network = _train(attribute, faces, labels, train, len(choices))
        judge = Judge(attribute, choices, network, {})
        seen = judge(faces[test].float() / 127.5 - 1)
        wanted = [choices[index] for index in labels[test].tolist()]
        for choice in choices:
            right = [s == w for s, w in zip(seen, wanted, strict=True) if w == choice]
            judge.accuracy[choice] = float(np.mean(right))
        judges[attribute] = judge
    return judges


def _share(source: str, what: str, parts: int) -> int:
    digest = hashlib.sha256(f"{what} {source}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % parts


def _cut(attribute: str, faces: Tensor) -> Tensor:
    if attribute == "eyes":
        return faces[:, :, EYES[0], EYES[1]]
    return functional.avg_pool2d(faces, 2)


def _train(
    attribute: str, faces: Tensor, labels: Tensor, train: np.ndarray, choices: int
) -> nn.Module:
    torch.manual_seed(5)
    random = np.random.default_rng(5)
    layers: list[nn.Module] = []
    for before, after, stride in ((3, 12, 1), (12, 24, 2), (24, 48, 2), (48, 48, 1), (48, 48, 2)):
        layers += [
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    network = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(768, choices)
    )
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.02)
    steps = STEPS[attribute]
    for step in tqdm(range(steps), desc=f"judge of {attribute}", mininterval=5):
        for group in optimiser.param_groups:
            fade = 0.5 * (1 + np.cos(np.pi * step / steps))
            group["lr"] = LEARNING_RATE * min(1, (step + 1) / 50) * fade
        chosen = torch.from_numpy(random.choice(train, BATCH))
        seen = _cut(attribute, _changed(faces[chosen].float() / 127.5 - 1))
        loss = functional.cross_entropy(network(seen), labels[chosen], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval().requires_grad_(False)


def _changed(faces: Tensor) -> Tensor:
    """Move, turn, enlarge and blur faces a little; colours stay nearly as they are."""
    count = len(faces)
    if torch.rand(1) < 0.5:
        faces = faces.flip(3)
    scale, angle = 0.8 + 0.45 * torch.rand(count), (torch.rand(count) - 0.5) * 0.4
    shift = (torch.rand(count, 2) - 0.5) * 0.16
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    matrix = torch.stack(
        [torch.stack([cosine, -sine, shift[:, 0]], 1), torch.stack([sine, cosine, shift[:, 1]], 1)],
        dim=1,
    )
    grid = functional.affine_grid(matrix, list(faces.shape), align_corners=False)
    moved = functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)
    light = 0.92 + 0.16 * torch.rand(count, 1, 1, 1)
    tint = 0.05 * torch.randn(count, 1, 1, 1) + 0.02 * torch.randn(count, 3, 1, 1)
    moved = moved * light + tint
    if torch.rand(1) < 0.3:
        padded = functional.pad(moved, (1, 1, 1, 1), mode="replicate")
        moved = (moved + functional.avg_pool2d(padded, 3, 1)) / 2
    return moved
