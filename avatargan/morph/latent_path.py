"""The path of a morph through the generator's inputs: what is drawn at each time."""

import numpy as np
import torch
from torch import Tensor

from avatargan.errors import OptionError
from avatargan.latents import FloatArray, slerp
from avatargan.morph.easing import EASINGS, Times, linear, smooth
from avatargan.morph.plan import Morph
from avatargan.morph.schedule import Weights, spline_weights, straight_weights
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import LARGEST_PSI, changed


class LatentPath:
    """Where a morph is at each time, as truncated w and palette embeddings.

    Identity moves through the keyframes; in z along great circles (on splines: along a spline,
    brought back to the sphere), or in truncated w. A keyframe that was edited, mixed or moved along
    a slider has no z: with one among them, all move in w. Attributes are one-hot weights of their
    choices, mixed linearly on their own schedules, and so are their embeddings and, for the
    style, the means of w.

    Args:
        pipeline: whose generator is meant.
        morph: the plan.

    Raises:
        RecipeError: a keyframe was made with other weights.
        OptionError: an attribute or choice is not one of these weights.
    """

    def __init__(self, pipeline: AvatarPipeline, morph: Morph) -> None:
        self.morph = morph
        self.generator = pipeline.generator
        self.attributes = pipeline.attributes
        self.latents = pipeline.latents(morph.keyframes)
        self.recipe_latents = pipeline.recipe_latents
        self.stops = {
            name: [
                self.attributes.index(name, choice)
                for choice in morph.schedules.get(
                    name, tuple(recipe.attributes[name] for recipe in morph.keyframes)
                )
            ]
            for name in self.attributes
        }
        for name in morph.schedules:
            self.attributes.offered(name)  # refuses the schedule of an unknown attribute

    @torch.inference_mode()
    def at(self, times: Times) -> tuple[Tensor, Tensor]:
        """Return w ``[N, w_dim]``, truncated, and palette embeddings ``[N, palette_dim]``.

        w is ``[N, blocks, w_dim]`` where a keyframe has one for each block.

        Args:
            times: ``[N]``, from 0 to 1.
        """
        choices = {name: self._choice_weights(name, times) for name in self.attributes}
        palette = self.generator.embed_palette(
            **{name: self._mixed_embedding(name, choices[name]) for name in self.attributes.palette}
        )
        identity = self.attributes.identity
        style = None if identity is None else choices[identity]
        by_z = self.morph.space == "z" and self.latents.z is not None
        return (self._w_by_z if by_z else self._w_by_w)(times, style), palette

    def _w_by_z(self, times: Times, style: Weights | None) -> Tensor:
        z = torch.from_numpy(self._z(times))
        psi = self._psi(times)
        rows = []
        for row in range(len(times)):
            one = None if style is None else style[row : row + 1]
            rows.append(self._truncated_w(z[row : row + 1], one, psi[row]))
        return torch.cat(rows)

    def _w_by_w(self, times: Times, style: Weights | None) -> Tensor:
        """Mix the keyframes' w; where the style has its own schedule, of each style's w."""
        path = self._keyframe_weights(times)  # [N, K]
        own = self._own_styles()
        if style is None or own is not None:
            per_keyframe = self._keyframes_w(None)  # [K, w_dim] or [K, blocks, w_dim]
            return torch.einsum("nk,k...->n...", torch.from_numpy(path).float(), per_keyframe)
        used = np.flatnonzero(style.any(axis=0))
        identity = self.attributes.identity
        assert identity is not None
        names = self.attributes[identity]
        by_style = torch.stack([self._keyframes_w(names[s]) for s in used])  # [styles, K, ...]
        weights = np.einsum("ns,nk->nsk", style[:, used], path)
        return torch.einsum("nsk,sk...->n...", torch.from_numpy(weights).float(), by_style)

    def _keyframes_w(self, style: str | None) -> Tensor:
        """Return the w that each keyframe is drawn from, in its own style or another."""
        rows = []
        for recipe in self.morph.keyframes:
            if style is not None:
                identity = self.attributes.identity
                recipe = changed(recipe, attributes=recipe.attributes | {identity: style})
            rows.append(torch.from_numpy(self.recipe_latents.w_of(recipe)))
        if any(row.ndim == 2 for row in rows):
            blocks = self.generator.blocks_of_w
            rows = [row if row.ndim == 2 else row.expand(blocks, -1) for row in rows]
        return torch.stack(rows)

    def _truncated_w(self, z: Tensor, style: Weights | None, psi: float) -> Tensor:
        """Return w ``[1, w_dim]``.

        One row at a time: matrix products round differently in batches of different sizes, and
        a keyframe should be, to the byte, the picture of its recipe.
        """
        if style is None:
            return self.generator.truncate(self.generator.mapping(z), None, psi)
        identity = self.attributes.identity
        assert identity is not None
        w = self.generator.mapping(z, self._mixed_embedding(identity, style))
        return self.generator.truncate(w, torch.from_numpy(style).float(), psi)

    def _z(self, times: Times) -> FloatArray:
        z = self.latents.z
        assert z is not None
        weights = self._keyframe_weights(times)
        if self.morph.path == "spline":
            return _on_sphere(weights, z)
        start = np.zeros(len(times), dtype=np.int64)
        end = np.zeros(len(times), dtype=np.int64)
        part = np.zeros(len(times), dtype=np.float32)
        for row, weight in enumerate(weights):
            around = np.flatnonzero(weight)
            start[row], end[row] = around[0], around[-1]
            part[row] = weight[around[-1]] if len(around) > 1 else 0
        return slerp(z[start], z[end], part[:, None])

    def _psi(self, times: Times) -> list[float]:
        psi = self._keyframe_weights(times) @ self.latents.psi.astype(np.float64)
        return [float(value) for value in np.clip(psi, 0, LARGEST_PSI).astype(np.float32)]

    def _keyframe_weights(self, times: Times) -> Weights:
        weigh = spline_weights if self.morph.path == "spline" else straight_weights
        return weigh(times, len(self.morph.keyframes), self.morph.loop, EASINGS[self.morph.easing])

    def _choice_weights(self, name: str, times: Times) -> Weights:
        """Return weights of an attribute's choices, ``[N, choices]``, never negative."""
        stops = self.stops[name]
        easing = EASINGS[self.morph.easing]
        if self.morph.path == "spline" and easing is linear:
            # Beside a path without jolts, colours change without jolts too; a spline would
            # overshoot into colours that nobody asked for.
            easing = smooth
        by_stop = straight_weights(times, len(stops), self.morph.loop, easing)
        return by_stop @ np.eye(len(self.attributes[name]))[stops]

    def _own_styles(self) -> Weights | None:
        """Return the keyframes' own styles, one-hot, unless the style has its own schedule."""
        identity = self.attributes.identity
        if identity is None or identity in self.morph.schedules:
            return None
        return np.asarray(np.eye(len(self.attributes[identity]))[self.stops[identity]])

    def _mixed_embedding(self, name: str, weights: Weights) -> Tensor:
        table: Tensor = self.generator.embed.get_submodule(name).get_parameter("weight")
        return (torch.from_numpy(weights) @ table.double()).float()


def _on_sphere(weights: Weights, z: FloatArray) -> FloatArray:
    """Mix directions and lengths of ``z [K, z_dim]`` apart: ``[N, K]`` to ``[N, z_dim]``."""
    lengths = np.linalg.norm(z.astype(np.float64), axis=1)
    directions = weights @ (z / lengths[:, None])
    norms = np.linalg.norm(directions, axis=1, keepdims=True)
    if np.any(norms < 1e-6):
        raise OptionError("a spline between opposite keyframes has no one way; move one of them")
    return np.asarray(directions / norms * (weights @ lengths)[:, None], dtype=np.float32)
