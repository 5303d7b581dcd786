"""Do colours stay where they belong? The first generator and the newest, side by side.

python -m benchmarks recolouring
python -m benchmarks recolouring --data tagged-faces-64.tar      # and are they right?

Movements are mean absolute differences of 255 over a part of the picture, where the newest
generator finds it: the mean over characters and colours, and the worst colour. Whether colours are
right is told by the shipped tagger and, with ``--data``, by judges that are trained on the spot
and share nothing with what they judge.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avatargan import AvatarPipeline
from avatargan.latents import seeds_to_z
from avatargan.networks.recolouring import RecolouringGenerator
from avatargan.tagging.tagger import load_judge
from avatargan.weights_header import FIRST_GENERATOR, shipped_weights

CHARACTERS = 30
PSI = 0.7
#: Of the eyes, while the hair changes, and the other way round.
OTHER = {"hair": "blue", "eyes": "red"}

See = Callable[[Tensor], list[str]]


def main() -> None:
    """Print both generators' figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recolouring")
    parser.add_argument("--data", type=Path, help="tagged faces of 64 px, to train the judges on")
    parser.add_argument("--characters", type=int, default=CHARACTERS, help="of each style")
    parser.add_argument("--new", type=Path, help="weights (default: the newest shipped ones)")
    given, _ = parser.parse_known_args()
    torch.set_num_threads(1)
    new = AvatarPipeline.load(given.new, device="cpu")
    old = AvatarPipeline.load(shipped_weights(FIRST_GENERATOR), device="cpu")
    assert isinstance(new.generator, RecolouringGenerator)
    judges = _judges(given.data)
    print(f"{given.characters} characters of each style, psi {PSI}, 128 px")
    for style in new.attributes.offered("style"):
        w = _characters(new, style, given.characters)
        parts = new.generator.parts(w) > 0.5
        regions = {
            "hair": parts[:, 0] & ~parts[:, 1],
            "eyes": parts[:, 1],
            "all else": new.generator.parts(w).amax(1) < 0.05,
        }
        print(f"\n{style}")
        for name, pipe in (("first", old), ("newest", new)):
            print(f"  {name} generator")
            for attribute in ("eyes", "hair"):
                pictures = _in_every_choice(pipe, w, attribute)
                _print_movements(attribute, pictures, regions)
                other = "hair" if attribute == "eyes" else "eyes"
                _print_steadiness(pipe, other, pictures)
                _print_right(pipe, attribute, w, judges[attribute])


def _characters(pipe: AvatarPipeline, style: str, count: int) -> Tensor:
    z = torch.from_numpy(seeds_to_z(range(count), pipe.generator.z_dim))
    index = torch.full((count,), pipe.attributes.index("style", style))
    with torch.inference_mode():
        w: Tensor = pipe.generator.mapping(z, index)
        return pipe.generator.truncate(w, index, PSI)


def _draw(pipe: AvatarPipeline, w: Tensor, choices: dict[str, list[str]]) -> Tensor:
    """Return pictures ``[N, 3, R, R]`` in [-1, 1]."""
    rows = {
        name: torch.tensor([pipe.attributes.index(name, choice) for choice in own])
        for name, own in choices.items()
    }
    with torch.inference_mode():
        palette = pipe.generator.embed_palette(**rows)
    pixels = pipe.renderer.draw(w, palette, pipe.generator.resolution)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def _in_every_choice(pipe: AvatarPipeline, w: Tensor, attribute: str) -> Tensor:
    """Return the characters in each choice, all else alike: ``[choices, N, 3, R, R]``."""
    other = "hair" if attribute == "eyes" else "eyes"
    pictures = []
    for choice in pipe.attributes.offered(attribute):
        wanted = {attribute: [choice] * len(w), other: [OTHER[other]] * len(w)}
        pictures.append(_draw(pipe, w, wanted))
    return torch.stack(pictures)


def _print_movements(attribute: str, pictures: Tensor, regions: dict[str, Tensor]) -> None:
    moved = (pictures - pictures.mean(0)).abs().mean(2) * 127.5  # [choices, N, R, R]
    for name, region in regions.items():
        if name != attribute:
            by_choice = [float(own[region].mean()) for own in moved]
            print(
                f"    only the {attribute} changed: {name} moves {np.mean(by_choice):.1f} of 255, "
                f"at worst {max(by_choice):.1f}"
            )


def _print_steadiness(pipe: AvatarPipeline, other: str, pictures: Tensor) -> None:
    seen = np.array([_tagger(other)(own) for own in pictures])  # [choices, N]
    changed = np.mean([len(set(column)) > 1 for column in seen.T])
    print(f"    ... and the tag of the {other} changes for {changed:.0%} of the characters")


def _print_right(pipe: AvatarPipeline, attribute: str, w: Tensor, judges: dict[str, See]) -> None:
    """Ask about every choice, the other attribute going round all of its own."""
    other = "hair" if attribute == "eyes" else "eyes"
    others = pipe.attributes.offered(other)
    mixed = [others[index % len(others)] for index in range(len(w))]
    choices = pipe.attributes.offered(attribute)
    drawn = [_draw(pipe, w, {attribute: [choice] * len(w), other: mixed}) for choice in choices]
    for judge, see in judges.items():
        right = {
            choice: float(np.mean([seen == choice for seen in see(own)]))
            for choice, own in zip(choices, drawn, strict=True)
        }
        worst = sorted(right, key=lambda choice: right[choice])[:3]
        print(
            f"    {attribute} right by {judge}: {np.mean(list(right.values())):.1%}; the worst "
            + ", ".join(f"{choice} {right[choice]:.0%}" for choice in worst)
        )


def _judges(data: Path | None) -> dict[str, dict[str, See]]:
    judges: dict[str, dict[str, See]] = {
        attribute: {"the shipped tagger": _tagger(attribute)} for attribute in ("hair", "eyes")
    }
    if data is not None:
        from benchmarks._colour_judge import train_judges

        for attribute, judge in train_judges(data).items():
            mean = np.mean(list(judge.accuracy.values()))
            print(f"the judge of {attribute} is right about {mean:.1%} of held-out real faces")
            judges[attribute]["the judge"] = judge
    return judges


def _tagger(attribute: str) -> See:
    tagger = load_judge()

    def see(pictures: Tensor) -> list[str]:
        pixels = ((pictures + 1) * 127.5 + 0.5).byte().permute(0, 2, 3, 1).numpy()
        best = tagger.probabilities(pixels)[attribute].argmax(1)
        return [tagger.attributes.offered(attribute)[index] for index in best]

    return see


if __name__ == "__main__":
    main()
