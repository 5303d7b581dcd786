"""From a picture of a face to the character that comes nearest to it.

The encoder gives the first w and the attributes. Colours are then tried: each is drawn, and where
the pictures of one attribute differ is where that attribute shows. A few dozen steps of Adam refine
the code of w, apart for the coarse and the fine blocks: first on pixels and edges alone, then, with
the colours tried once more, on the critic's features too.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from avatargan.editing.directions import w_space_sha256
from avatargan.editing.encoder import load_edit_encoder
from avatargan.editing.likeness import critic_features, edges, feature_distance
from avatargan.errors import OptionError
from avatargan.networks import Generator, load_critic
from avatargan.networks.critic import Critic
from avatargan.pipeline import AvatarPipeline
from avatargan.weights_header import (
    EDIT_ENCODER_ROLE,
    SHIPPED_EDIT_ENCODER,
    read_header,
    shipped_weights,
)

#: Refining steps by default.
STEPS = 28
#: Share of the steps that look at pixels and edges alone, which costs half as much.
PLAIN_SHARE = 0.4
RATE = 0.06
#: Weights of the parts of the loss.
PIXELS, SMALL_PIXELS, EDGES, FEATURES = 1.0, 2.0, 1.5, 2.0
#: What holds w to what is typical, and its two halves together.
TYPICAL, TOGETHER = 0.0004, 0.0004
#: How much the encoder's opinion of a colour counts beside how well the colour fits.
OPINION = 0.012

#: Side at which tones are compared, whatever the lines.
_SMALL = 16

Progress = Callable[[int, int, Tensor | None], None]


def can_edit(pipeline: AvatarPipeline) -> bool:
    """Tell whether there is an encoder for a pipeline's weights; loads none of it."""
    path = shipped_weights(SHIPPED_EDIT_ENCODER)
    if not path.exists() or not isinstance(pipeline.generator, Generator):
        return False
    header = read_header(path, EDIT_ENCODER_ROLE)
    return header.metadata.get("w_space") == w_space_sha256(pipeline.generator)


class PictureFitter:
    """Fits characters to pictures.

    Args:
        pipeline: what will draw them.

    Raises:
        OptionError: the weights are not those that the encoder was made for.
        WeightsError: the encoder or the critic is missing or damaged.
    """

    def __init__(self, pipeline: AvatarPipeline) -> None:
        self.pipeline = pipeline
        self.encoder, header = load_edit_encoder()
        if (
            not isinstance(pipeline.generator, Generator)
            or header.get("w_space") != w_space_sha256(pipeline.generator)
            or self.encoder.attributes.to_json() != pipeline.attributes.to_json()
        ):
            raise OptionError(
                "pictures cannot be edited with these weights; leave --weights out for the "
                "shipped ones, which can"
            )
        self.generator = pipeline.generator
        critic = load_critic()
        assert isinstance(critic, Critic)
        self.critic = critic

    def fit(
        self, picture: Tensor, steps: int = STEPS, progress: Progress | None = None
    ) -> tuple[Tensor, dict[str, str]]:
        """Return w ``[2, w_dim]``, for the coarse and the fine blocks, and the attributes.

        Args:
            picture: ``[1, 3, R, R]`` in [-1, 1], R the resolution of the generator.
            steps: how often w is refined; 0 leaves what the encoder says.
            progress: called after each step with how many are done, how many there are, and now
                and then what the picture looks like so far, ``[1, 3, S, S]``.
        """
        code, opinions = self.encoder.encode(picture)
        code = code.repeat(2, 1).clone()  # the same for both halves
        attributes = {
            name: self.pipeline.attributes.offered(name)[int(each[0].argmax())]
            for name, each in opinions.items()
        }
        attributes = self.choose_colours(picture, self._rows(code), attributes, opinions)
        if steps <= 0:
            return self._rows(code), attributes
        plain = round(steps * PLAIN_SHARE)
        code = self._refine(picture, code, attributes, range(plain), steps, progress)
        attributes = self.choose_colours(picture, self._rows(code), attributes, opinions)
        code = self._refine(picture, code, attributes, range(plain, steps), steps, progress)
        return self._rows(code), attributes

    def _rows(self, code: Tensor) -> Tensor:
        return self.encoder.w_of(code)

    def _per_block(self, rows: Tensor) -> Tensor:
        """Return ``[1, blocks, w_dim]`` of the two rows."""
        blocks = self.generator.blocks_of_w
        coarse = (blocks + 1) // 2
        return torch.cat([rows[:1].expand(coarse, -1), rows[1:].expand(blocks - coarse, -1)])[None]

    @torch.inference_mode()
    def choose_colours(
        self,
        picture: Tensor,
        rows: Tensor,
        attributes: dict[str, str],
        opinions: dict[str, Tensor],
    ) -> dict[str, str]:
        """Return the attributes with the colours that fit the picture best, found by trial."""
        taxonomy = self.pipeline.attributes
        wanted = ((picture[0].clamp(-1, 1) + 1) / 2).permute(1, 2, 0).numpy()
        chosen = dict(attributes)
        for name in taxonomy.palette:
            choices = taxonomy.offered(name)
            palettes = torch.cat([self._palette(chosen | {name: choice}) for choice in choices])
            w = self._per_block(rows).expand(len(choices), -1, -1)
            drawn = self.pipeline.renderer.draw(w, palettes, self.generator.resolution) / 255.0
            where = drawn.std(axis=0).sum(-1)  # where this attribute shows
            where = np.square(where / (where.max() + 1e-6))
            apart = np.abs(drawn - wanted).mean(-1)  # [choices, R, R]
            misfit = (apart * where).sum((1, 2)) / where.sum()
            opinion = np.log(opinions[name][0].numpy() + 1e-3)
            chosen[name] = choices[int(np.argmin(misfit - OPINION * opinion))]
        return chosen

    def _palette(self, attributes: dict[str, str]) -> Tensor:
        taxonomy = self.pipeline.attributes
        return self.generator.embed_palette(
            **{
                name: torch.tensor([taxonomy.index(name, attributes[name])])
                for name in taxonomy.palette
            }
        )

    def _refine(
        self,
        picture: Tensor,
        code: Tensor,
        attributes: dict[str, str],
        part: range,
        steps: int,
        progress: Progress | None,
    ) -> Tensor:
        """Take a part of the steps; the one that begins at 0 does not look at features."""
        plain = part.start == 0
        with torch.no_grad():
            wanted = [] if plain else critic_features(self.critic, picture)
            palette = self._palette(attributes)
        small, lines = functional.adaptive_avg_pool2d(picture, _SMALL), edges(picture)
        code = code.clone().requires_grad_()
        optimiser = torch.optim.Adam([code], lr=RATE, betas=(0.9, 0.98))
        for step in part:
            rate = 0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * step / steps))
            optimiser.param_groups[0]["lr"] = RATE * rate
            with _quick_arithmetic():
                drawn = self._draw(self._per_block(self._rows(code)), palette)
                features = [] if plain else critic_features(self.critic, drawn)
            drawn = drawn.float()
            loss = PIXELS * (drawn - picture).abs().mean()
            loss = loss + SMALL_PIXELS * (
                (functional.adaptive_avg_pool2d(drawn, _SMALL) - small).square().mean()
            )
            loss = loss + EDGES * (edges(drawn) - lines).abs().mean()
            if not plain:
                floats = [each.float() for each in features]
                loss = loss + FEATURES * feature_distance(floats, wanted).mean()
            loss = loss + TYPICAL * code.square().sum(1).mean()
            loss = loss + TOGETHER * (code[0] - code[1]).square().sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if progress is not None:
                progress(step + 1, steps, drawn.detach() if step % 6 == 5 else None)
        return code.detach()

    def _draw(self, w: Tensor, palette: Tensor) -> Tensor:
        return self.generator.synthesis_from_embedding(w, palette)


def _quick_arithmetic() -> AbstractContextManager[object]:
    """Use half precision for the convolutions where the processor multiplies in it."""
    if torch.cpu._is_avx512_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def picture_tensor(image: Image.Image, size: int) -> Tensor:
    """Return an RGB picture as ``[1, 3, size, size]`` in [-1, 1]."""
    resized = image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    pixels = np.array(resized, dtype=np.float32) / 127.5 - 1
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()
