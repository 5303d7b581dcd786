"""What every conditional generator and critic has, whatever its layers: attributes in, and psi.

The pipeline, the renderers, morphs and the training loop rely on these two classes alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.attributes import Taxonomy
from avatargan.errors import WeightsError
from avatargan.latents import truncate
from avatargan.networks.layers import embedding_table
from avatargan.weights_header import CRITIC_ROLE, GENERATOR_ROLE, WeightsHeader

#: A batch of latents ``[B, z_dim]`` and the labels ``[B]`` of each attribute.
LatentBatch = tuple[Tensor, Mapping[str, Tensor]]


class ConditionalGenerator(nn.Module, ABC):
    """Draws pictures from latents and attributes.

    Args:
        attributes: the taxonomy; kept as the attribute of the same name.
        z_dim: width of z.
        w_dim: width of w.
        resolution: side of the pictures in pixels.
        embedding_dims: width of each attribute's embedding.
    """

    #: Names the layout of the tensors in the header of weights files.
    architecture: ClassVar[str]
    #: The centre of truncation for each style, ``[styles, w_dim]`` (one row without styles).
    w_mean: Tensor
    #: z ``[B, z_dim]`` and style to w ``[B, w_dim]``, not truncated.
    mapping: nn.Module
    #: Latents that :meth:`update_statistics` wants.
    statistic_latents: ClassVar[int] = 10_000
    #: How many blocks of the synthesis may each read a w of their own.
    blocks_of_w: int = 1

    def __init__(
        self,
        attributes: Taxonomy,
        *,
        z_dim: int,
        w_dim: int,
        resolution: int,
        embedding_dims: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.attributes = attributes
        self.z_dim = z_dim
        self.w_dim = w_dim
        self.resolution = resolution
        self.embed = nn.ModuleDict(
            {
                name: embedding_table(len(attributes[name]), embedding_dims[name])
                for name in attributes
            }
        )
        self.palette_dim = sum(embedding_dims[name] for name in attributes.palette)
        identity = attributes.identity
        self.register_buffer(
            "w_mean", torch.zeros(len(attributes[identity]) if identity else 1, w_dim)
        )

    @classmethod
    @abstractmethod
    def from_header(cls, header: WeightsHeader) -> Self:
        """Return a generator with the sizes that a weights file tells, its weights not yet set.

        Raises:
            WeightsError: the header does not describe such a generator.
        """

    @classmethod
    @abstractmethod
    def for_training(cls, attributes: Taxonomy, resolution: int, width: float = 1.0) -> Self:
        """Return a new generator with its first random weights.

        Args:
            attributes: the taxonomy.
            resolution: side of the pictures in pixels.
            width: factor on the number of feature channels.
        """

    @abstractmethod
    def synthesis_from_embedding(self, w: Tensor, palette: Tensor) -> Tensor:
        """Return pictures ``[B, 3, resolution, resolution]`` in about [-1, 1], not clamped.

        Args:
            w: ``[B, w_dim]``, truncated or not; or one for each block, ``[B, blocks, w_dim]``.
            palette: what :meth:`embed_palette` returned.
        """

    @abstractmethod
    def update_statistics(self, batches: Iterable[LatentBatch]) -> None:
        """Bring what drawing needs beside the weights, such as ``w_mean``, up to date with them.

        Args:
            batches: latents and labels as they come in training, ``statistic_latents`` in all.
        """

    @property
    def style_table(self) -> nn.Embedding | None:
        """The embedding of the identity attribute, where there is one."""
        return style_table(self.embed, self.attributes)

    def embedding(self, name: str) -> Tensor:
        """Return the embeddings of all choices of an attribute, ``[choices, dim]``."""
        weight = self.embed[name].weight
        assert isinstance(weight, Tensor)
        return weight

    def embed_palette(self, *palette: Tensor, **named: Tensor) -> Tensor:
        """Return the embeddings of all palette attributes side by side, ``[B, palette_dim]``.

        Without any in the taxonomy, one empty row for the whole batch, ``[1, 0]``.

        Each is given as indices ``[B]`` or as embeddings ``[B, dim]``, which may be mixed
        linearly; by position in the order of the taxonomy, or by name.

        Raises:
            TypeError: an attribute is missing, given twice, or not in the palette.
        """
        names = self.attributes.palette
        given = dict(zip(names, palette, strict=False))
        twice = given.keys() & named.keys()
        given |= named
        if len(palette) > len(names) or twice or given.keys() != set(names):
            raise TypeError(f"expected each of {', '.join(names)} once")
        if not names:  # weights may have a style and nothing else
            return self.w_mean.new_zeros(1, 0)
        return torch.cat([look_up(self.embed[name], given[name]) for name in names], dim=1)

    def synthesis(self, w: Tensor, *palette: Tensor, **named: Tensor) -> Tensor:
        """Return pictures ``[B, 3, resolution, resolution]`` in about [-1, 1], not clamped.

        Args:
            w: ``[B, w_dim]`` or ``[B, blocks, w_dim]``, truncated or not.
            palette: see :meth:`embed_palette`; for the shipped weights ``hair, eyes``.
            named: the same by name.
        """
        return self.synthesis_from_embedding(w, self.embed_palette(*palette, **named))

    def forward(
        self, z: Tensor, style: Tensor | None, *palette: Tensor, psi: float = 1.0
    ) -> Tensor:
        """Draw from z in one go: mapping, truncation, synthesis."""
        w = self.mapping(z, style)
        if psi != 1:
            w = self.truncate(w, style, psi)
        return self.synthesis(w, *palette)

    def draw(self, z: Tensor, labels: Mapping[str, Tensor], psi: float = 1.0) -> Tensor:
        """Like :meth:`forward`, with the labels ``[B]`` of all attributes by name."""
        return self(z, *self.arguments(labels), psi=psi)  # type: ignore[no-any-return]

    def arguments(self, labels: Mapping[str, Tensor]) -> tuple[Tensor | None, ...]:
        """Return labels as :meth:`forward` takes them after z: the style, then the palette."""
        identity = self.attributes.identity
        style = labels[identity] if identity is not None else None
        return style, *(labels[name] for name in self.attributes.palette)

    def truncate(self, w: Tensor, style: Tensor | None, psi: float | Tensor) -> Tensor:
        """Pull w towards the mean of its style; see :func:`avatargan.latents.truncate`.

        Args:
            w: ``[B, w_dim]``, or ``[B, blocks, w_dim]``.
            style: indices ``[B]``, or weights of each style ``[B, styles]``, for mixed styles.
            psi: 1 changes nothing, 0 gives the mean; a number, or ``[B, 1]``.
        """
        if style is None:
            mean = self.w_mean
        elif style.is_floating_point():
            mean = style @ self.w_mean
        else:
            mean = self.w_mean[style]
        if w.ndim == 3 and mean.ndim == 2:
            mean = mean[:, None]
        truncated: Tensor = truncate(w, mean, psi)
        return truncated

    def metadata(self) -> dict[str, str]:
        """Return the entries of a weights header that describe this network."""
        return {
            "role": GENERATOR_ROLE,
            "architecture": self.architecture,
            "resolution": str(self.resolution),
            "z_dim": str(self.z_dim),
            "w_dim": str(self.w_dim),
            "attributes": self.attributes.to_json(),
        }


class ConditionalCritic(nn.Module, ABC):
    """Scores how real pictures with given attributes look, and classifies their palette.

    Args:
        attributes: the taxonomy; kept as the attribute of the same name.
        resolution: side of the pictures in pixels.
    """

    #: Names the layout of the tensors in the header of weights files.
    architecture: ClassVar[str]
    #: Tables ``[choices, features]`` that tie the score to the labels.
    project: nn.ModuleDict
    #: A classifier of features for each palette attribute that has anything to tell apart.
    classify: nn.ModuleDict

    def __init__(self, attributes: Taxonomy, resolution: int) -> None:
        super().__init__()
        self.attributes = attributes
        self.resolution = resolution

    @classmethod
    @abstractmethod
    def from_header(cls, header: WeightsHeader) -> Self:
        """Like :meth:`ConditionalGenerator.from_header`."""

    @classmethod
    @abstractmethod
    def for_training(cls, attributes: Taxonomy, resolution: int, width: float = 1.0) -> Self:
        """Like :meth:`ConditionalGenerator.for_training`."""

    @abstractmethod
    def forward(
        self, image: Tensor, labels: Mapping[str, Tensor], groups: int = 1
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return scores ``[B]`` and, by attribute, class scores ``[B, offered choices]``.

        Args:
            image: ``[B, 3, resolution, resolution]`` in [-1, 1].
            labels: indices ``[B]`` for each attribute of the taxonomy.
            groups: how many equal runs of the batch (real, fake, ...) keep their minibatch
                statistics to themselves.
        """

    def early_layers(self, count: int) -> list[nn.Module]:
        """Return the layers nearest to the pixels, down to the ``count``-th block; 0: none.

        They see strokes and edges, which small sets of pictures can hardly teach ("FreezeD",
        arXiv 2002.10964).
        """
        return []

    def metadata(self) -> dict[str, str]:
        """Return the entries of a weights header that describe this network."""
        return {
            "role": CRITIC_ROLE,
            "architecture": self.architecture,
            "resolution": str(self.resolution),
            "attributes": self.attributes.to_json(),
        }


def style_table(embed: nn.ModuleDict, attributes: Taxonomy) -> nn.Embedding | None:
    """Return the embedding of the identity attribute, where there is one."""
    if attributes.identity is None:
        return None
    table = embed[attributes.identity]
    assert isinstance(table, nn.Embedding)
    return table


def look_up(table: nn.Module, value: Tensor) -> Tensor:
    """Return the rows of an embedding for indices; embeddings come back as they are."""
    if value.is_floating_point():
        return value
    assert isinstance(table, nn.Embedding)
    return functional.embedding(value, table.weight)


def read_attributes(header: WeightsHeader) -> Taxonomy:
    """Return the taxonomy of a header, if networks can hold it.

    Raises:
        WeightsError: there is none, it is malformed, or a name cannot be that of a module.
    """
    attributes = header.attributes
    for name in attributes:
        if hasattr(nn.ModuleDict, name):  # torch keeps the embeddings under their names
            raise WeightsError(f"{header.path}: '{name}' cannot be the name of an attribute")
    return attributes


def embedding_dims(header: WeightsHeader) -> dict[str, int]:
    """Return the width of each attribute's embedding in a generator's header; errors as above."""
    return {name: header.shape(f"embed.{name}.weight", 2)[1] for name in header.attributes}
