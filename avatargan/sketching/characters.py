"""Characters of a generator's own, drawn once and kept on disk: what both networks learn from.

A character's number decides everything about it, so that the same numbers are the same characters
in every run, and w needs no keeping. Of the first ones there are masks too: the generator holds a
character still while one colour changes, and what changes is the hair, or the eyes.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatargan.files import write_atomically
from avatargan.latents import seeds_to_z
from avatargan.networks import ConditionalGenerator
from avatargan.rendering import Renderer

#: Side of the pictures that are kept, and of the masks.
PICTURE_SIZE = 128
MASK_SIZE = 64
#: What masks are made of, by the name of the attribute that is changed.
PARTS = ("hair", "eyes")
#: Characters are drawn from the typical to the varied.
SMALLEST_PSI, LARGEST_PSI = 0.55, 1.0
#: Added to a character's number for its seed, so that nobody's favourite is among them.
FIRST_SEED = 7_000_000_000
#: With so many other colours a part is compared: any one of them may be much like its own.
ALTERNATIVES = 2
_WRITTEN_EVERY = 512

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Character:
    """What a character is drawn from.

    Attributes:
        seed: of z.
        style: index of the identity attribute's choice; 0 where there is none.
        psi: truncation.
        palette: index of each palette attribute's choice.
    """

    seed: int
    style: int
    psi: float
    palette: tuple[int, ...]


def character(generator: ConditionalGenerator, number: int) -> Character:
    """Return the character of a number."""
    seed = FIRST_SEED + number
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 2])))
    taxonomy = generator.attributes
    identity = taxonomy.identity
    styles = (
        [taxonomy.index(identity, choice) for choice in taxonomy.offered(identity)]
        if (identity)
        else [0]
    )
    palette = tuple(
        taxonomy.index(name, str(random.choice(taxonomy.offered(name))))
        for name in taxonomy.palette
    )
    return Character(
        seed=seed,
        style=styles[number % len(styles)],
        psi=float(random.uniform(SMALLEST_PSI, LARGEST_PSI)),
        palette=palette,
    )


@torch.inference_mode()
def latents_of(generator: ConditionalGenerator, characters: list[Character]) -> Tensor:
    """Return w ``[N, w_dim]``, truncated: what the characters are drawn from."""
    z = torch.from_numpy(seeds_to_z([each.seed for each in characters], generator.z_dim))
    style = styles_of(generator, characters)
    psi = torch.tensor([[each.psi] for each in characters])
    w: Tensor = generator.truncate(generator.mapping(z, style), style, psi)
    return w


def styles_of(generator: ConditionalGenerator, characters: list[Character]) -> Tensor | None:
    """Return the style indices ``[N]``, or None where the weights have no styles."""
    if generator.attributes.identity is None:
        return None
    return torch.tensor([each.style for each in characters])


@dataclass(frozen=True)
class DrawnCharacters:
    """Characters on disk.

    Attributes:
        pictures: ``[N, 128, 128, 3]``, RGB.
        masks: ``[M, parts, 64, 64]``: how much each part's colour shows in a pixel, of the first
            M characters, in the order of ``parts``.
        parts: which of :data:`PARTS` the weights have.
    """

    pictures: Bytes
    masks: Bytes
    parts: tuple[str, ...]


def draw_characters(
    generator: ConditionalGenerator,
    renderer: Renderer,
    folder: str | os.PathLike[str],
    count: int,
    masked: int,
    advance: Callable[[int], None] = lambda count: None,
) -> DrawnCharacters:
    """Draw characters into a folder, or carry on where an earlier call was stopped.

    Args:
        generator: of the renderer.
        renderer: what draws.
        folder: kept for the next call; of one generator only.
        count: how many characters, numbered from 0.
        masked: of how many of them masks are made; each costs as much as four characters.
        advance: called with the number of characters that were just finished.
    """
    parts = tuple(part for part in PARTS if part in generator.attributes.palette)
    masked = min(masked, count) if parts else 0
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pictures, kept = _open(folder / "pictures.npy", (count, PICTURE_SIZE, PICTURE_SIZE, 3))
    masks, masks_kept = _open(folder / "masks.npy", (masked, len(parts), MASK_SIZE, MASK_SIZE))
    done = _finished(folder) if kept and masks_kept else 0
    advance(min(done, count))
    while done < count:
        numbers = range(done, min(done + renderer.chunk, count))
        chosen = [character(generator, number) for number in numbers]
        w = latents_of(generator, chosen)
        drawn = _draw(generator, renderer, w, [each.palette for each in chosen])
        pictures[numbers.start : numbers.stop] = _resized(drawn, PICTURE_SIZE)
        own = [number for number in numbers if number < masked]
        for place, part in enumerate(parts if own else ()):
            change = np.zeros(drawn[: len(own)].shape[:3], np.int16)
            for turn in range(1, ALTERNATIVES + 1):
                palettes = [_with_another(generator, each, part, turn) for each in chosen]
                changed = _draw(generator, renderer, w[: len(own)], palettes[: len(own)])
                one = np.abs(changed.astype(np.int16) - drawn[: len(own)]).max(3)
                change = np.maximum(change, one)
            small = _resized(change.astype(np.uint8)[..., None], MASK_SIZE)
            masks[own[0] : own[-1] + 1, place] = small[..., 0]
        done = numbers.stop
        if done % _WRITTEN_EVERY < renderer.chunk or done == count:
            for array in (pictures, masks):
                if isinstance(array, np.memmap):
                    array.flush()
            write_atomically(folder / "finished", str(done).encode(), overwrite=True)
        advance(len(numbers))
    return DrawnCharacters(pictures, masks, parts)


def _with_another(
    generator: ConditionalGenerator, character: Character, part: str, turn: int
) -> tuple[int, ...]:
    """Return the character's palette with another choice of one attribute, evenly spread."""
    palette = list(character.palette)
    place = generator.attributes.palette.index(part)
    offered = [
        generator.attributes.index(part, choice) for choice in generator.attributes.offered(part)
    ]
    own = offered.index(palette[place])
    palette[place] = offered[(own + turn * len(offered) // (ALTERNATIVES + 1)) % len(offered)]
    return tuple(palette)


def _draw(
    generator: ConditionalGenerator,
    renderer: Renderer,
    w: Tensor,
    palettes: list[tuple[int, ...]],
) -> Bytes:
    with torch.inference_mode():
        columns = torch.tensor(palettes, dtype=torch.long).reshape(len(palettes), -1)
        palette = generator.embed_palette(*columns.unbind(1)).expand(len(w), -1)
    return renderer.draw(w, palette, generator.resolution)


def _resized(pictures: Bytes, size: int) -> Bytes:
    """Return ``[N, H, W, C]`` at another size, areas averaged."""
    if pictures.shape[1] == size:
        return pictures
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    smaller = planes.shape[-1] > size
    planes = torch.nn.functional.interpolate(
        planes,
        (size, size),
        mode="area" if smaller else "bilinear",
        **({} if smaller else {"align_corners": False}),
    )
    result: Bytes = planes.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return result


def _open(path: Path, shape: tuple[int, ...]) -> tuple[Bytes, bool]:
    """Return an array on disk, and whether it was there already."""
    if 0 in shape:
        return np.zeros(shape, np.uint8), True
    if path.exists():
        kept = np.load(path, mmap_mode="r+")
        if kept.shape == shape:
            return kept, True
    return np.lib.format.open_memmap(path, "w+", np.uint8, shape), False


def _finished(folder: Path) -> int:
    path = folder / "finished"
    return int(path.read_text()) if path.exists() else 0
