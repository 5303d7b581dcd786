"""Draw the pictures of the README and the docs: ``python tools/readme_pictures.py``."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from avatargan import AvatarPipeline, vary
from avatargan.latents import Latents, slerp

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CELL, GAP, RADIUS = 200, 10, 24
HERO_SEEDS = (138, 104, 103, 140, 106, 163, 174, 135, 131, 124, 116, 128)
CHARACTER = 114
MORPH_ENDS = (104, 163)


def main() -> None:
    """Run the command."""
    pipe = AvatarPipeline.load()
    save("hero", [avatar.image for avatar in pipe.generate(HERO_SEEDS)], columns=6)

    recipe = pipe.recipes(CHARACTER)[0]
    colours = [
        recipe.model_copy(update={"attributes": {**recipe.attributes, "hair": hair, "eyes": eyes}})
        for hair, eyes in zip(
            ("blonde", "pink", "aqua", "black", "red", "white"),
            ("aqua", "purple", "blue", "green", "yellow", "red"),
            strict=True,
        )
    ]
    save("recoloured", [avatar.image for avatar in pipe.draw(colours)], columns=6)

    family = [recipe, *vary(recipe, 0.2, 5)]
    save("variations", [avatar.image for avatar in pipe.draw(family)], columns=6)
    save("interpolation", between(pipe, *MORPH_ENDS, steps=6), columns=6)


def between(pipe: AvatarPipeline, first: int, last: int, steps: int) -> list[Image.Image]:
    """Return pictures on the great circle between two seeds, in the colours of the first."""
    ends = pipe.latents(pipe.recipes([first, last]))
    assert ends.z is not None  # seeds have one
    z = np.concatenate([slerp(ends.z[:1], ends.z[1:], t) for t in np.linspace(0, 1, steps)])
    style = torch.from_numpy(ends.labels[:1, 0]).expand(steps)
    with torch.inference_mode():
        w = pipe.generator.mapping(torch.from_numpy(z), style).numpy()
    first_only = {
        name: np.repeat(getattr(ends, name)[:1], steps, axis=0)
        for name in ("labels", "seeds", "psi")
    }
    return list(pipe.draw_latents(Latents(z=z, w=w, attributes=pipe.attributes, **first_only)))


def save(name: str, pictures: list[Image.Image], columns: int) -> None:
    """Write pictures with round corners in rows, on nothing, so that dark pages look right too."""
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGBA", (columns * (CELL + GAP) - GAP, rows * (CELL + GAP) - GAP))
    corners = Image.new("L", (CELL * 4, CELL * 4))
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, CELL * 4, CELL * 4), RADIUS * 4, fill=255)
    corners = corners.resize((CELL, CELL), Image.Resampling.BOX)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        place = (column * (CELL + GAP), row * (CELL + GAP))
        sheet.paste(picture.resize((CELL, CELL), Image.Resampling.LANCZOS), place, corners)
    IMAGES.mkdir(parents=True, exist_ok=True)
    sheet.save(IMAGES / f"{name}.webp", quality=88, method=6)


if __name__ == "__main__":
    main()
