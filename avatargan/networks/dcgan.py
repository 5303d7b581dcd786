"""A plain conditional DCGAN of 64 px: the baseline that figures are measured beside.

The layers are those with which this field started at 64 px: a dense layer to 3 x 3, three
transposed convolutions with batch normalisation, leaky ReLU and tanh; a critic of three strided
convolutions and a dense layer (after Radford et al., "Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks", arXiv 1511.06434). Made conditional: the
embeddings of the labels join z, and the critic has a projection on them (arXiv 1802.05637) and
auxiliary classifiers (arXiv 1610.09585).
"""

from collections.abc import Iterable, Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.attributes import UNKNOWN, Taxonomy
from avatargan.errors import WeightsError
from avatargan.networks.conditional import (
    ConditionalCritic,
    ConditionalGenerator,
    LatentBatch,
    embedding_dims,
    look_up,
    read_attributes,
)
from avatargan.networks.layers import standard_normal
from avatargan.weights_header import WeightsHeader

RESOLUTION = 64
Z_DIM = 100
EMBEDDING = 32
#: Side of what the dense layer gives, in pixels.
FIRST_SIZE = 3
SLOPE = 0.2
#: Standard deviation of the first weights, as in the paper.
FIRST_DEVIATION = 0.02


class BatchNorm(nn.Module):
    """Batch normalisation whose running statistics are plain float tensors (arXiv 1502.03167).

    torch's own keeps an integer count among them, which weights files do not hold.
    """

    running_mean: Tensor
    running_var: Tensor
    MOMENTUM = 0.1

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.momentum = self.MOMENTUM

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[B, C, H, W]``: by the batch while training, else by the running values."""
        return functional.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training,
            momentum=self.momentum,
        )


class LatentAndStyle(nn.Module):
    """w is z beside the embedding of the style: this network has no mapping of its own."""

    def __init__(self, style_embedding: nn.Embedding | None) -> None:
        super().__init__()
        # In a list, so that the table is registered once, by the generator that owns it.
        self._style_embedding = [style_embedding]

    def forward(self, z: Tensor, style: Tensor | None = None) -> Tensor:
        """Return w ``[B, w_dim]``; style as for the shipped generator's mapping."""
        (table,) = self._style_embedding
        if table is None:
            return z
        if style is None:
            raise TypeError("these weights need a style beside z")
        return torch.cat([z, look_up(table, style)], dim=1)


class DcganGenerator(ConditionalGenerator):
    """Transposed convolutions from z and the embeddings of the labels.

    Truncation pulls z towards zero and leaves the style as it is: ``w_mean`` is zero beside the
    embedding of each style.

    Args:
        attributes: the taxonomy; kept as the attribute of the same name.
        z_dim: width of z.
        channels: feature channels at 3, 9 and 21 px.
        embedding_dims: width of each attribute's embedding.
    """

    architecture = "dcgan"

    def __init__(
        self,
        attributes: Taxonomy,
        *,
        z_dim: int,
        channels: tuple[int, int, int],
        embedding_dims: Mapping[str, int],
    ) -> None:
        identity = attributes.identity
        style_dim = embedding_dims[identity] if identity is not None else 0
        super().__init__(
            attributes,
            z_dim=z_dim,
            w_dim=z_dim + style_dim,
            resolution=RESOLUTION,
            embedding_dims=embedding_dims,
        )
        self.mapping = LatentAndStyle(self.style_table)
        first, second, third = channels
        # What batch normalisation follows needs no bias.
        self.dense = nn.Linear(self.w_dim + self.palette_dim, first * FIRST_SIZE**2, bias=False)
        self.norm0 = BatchNorm(first)
        self.conv1 = nn.ConvTranspose2d(first, second, 3, stride=3, bias=False)  # 9 px
        self.norm1 = BatchNorm(second)
        self.conv2 = nn.ConvTranspose2d(second, third, 5, stride=2, bias=False)  # 21 px
        self.norm2 = BatchNorm(third)
        self.conv3 = nn.ConvTranspose2d(third, 3, 4, stride=3)  # 64 px
        set_first_weights(self)

    @classmethod
    def from_header(cls, header: WeightsHeader) -> Self:
        """See :meth:`ConditionalGenerator.from_header`."""
        check_resolution(header)
        first, second, _, _ = header.shape("conv1.weight", 4)
        return cls(
            read_attributes(header),
            z_dim=header.integer("z_dim"),
            channels=(first, second, header.shape("conv3.weight", 4)[0]),
            embedding_dims=embedding_dims(header),
        )

    @classmethod
    def for_training(cls, attributes: Taxonomy, resolution: int, width: float = 1.0) -> Self:
        """See :meth:`ConditionalGenerator.for_training`; there is one resolution."""
        assert resolution == RESOLUTION
        return cls(
            attributes,
            z_dim=Z_DIM,
            channels=(scaled(512, width), scaled(256, width), scaled(128, width)),
            embedding_dims=dict.fromkeys(attributes, EMBEDDING),
        )

    def synthesis_from_embedding(self, w: Tensor, palette: Tensor) -> Tensor:
        """See :meth:`ConditionalGenerator.synthesis_from_embedding`."""
        w = w.flatten(1)  # one block: [B, 1, w_dim] is [B, w_dim]
        x = self.dense(torch.cat([w, palette.expand(w.shape[0], -1)], dim=1))
        x = x.unflatten(1, (-1, FIRST_SIZE, FIRST_SIZE))  # [B, 512, 3, 3]
        x = functional.leaky_relu(self.norm0(x), SLOPE)
        x = functional.leaky_relu(self.norm1(self.conv1(x)), SLOPE)
        x = functional.leaky_relu(self.norm2(self.conv2(x)), SLOPE)
        return torch.tanh(self.conv3(x))

    #: Each is drawn, not only mapped.
    statistic_latents = 768

    @torch.no_grad()
    def update_statistics(self, batches: Iterable[LatentBatch]) -> None:
        """Set ``w_mean``, and the statistics of batch normalisation to their mean over batches.

        Statistics that were gathered while the weights moved fit neither these weights nor an
        average of them ("standing statistics", BigGAN, arXiv 1809.11096).
        """
        self.w_mean.zero_()
        if self.style_table is not None:
            self.w_mean[:, self.z_dim :] = self.style_table.weight
        norms = [module for module in self.modules() if isinstance(module, BatchNorm)]
        was_training = self.training
        self.train()
        for number, (z, labels) in enumerate(batches, start=1):
            for norm in norms:
                norm.momentum = 1 / number
            self.draw(z, labels)
        for norm in norms:
            norm.momentum = BatchNorm.MOMENTUM
        self.train(was_training)


class DcganCritic(ConditionalCritic):
    """Three strided convolutions, then the score and the classes.

    Args:
        attributes: the taxonomy; kept as the attribute of the same name.
        channels: feature channels at 20, 6 and 1 px.
    """

    architecture = "dcgan"

    def __init__(self, attributes: Taxonomy, *, channels: tuple[int, int, int]) -> None:
        super().__init__(attributes, RESOLUTION)
        first, second, third = channels
        self.conv1 = nn.Conv2d(3, first, 5, stride=3)  # 20 px
        self.conv2 = nn.Conv2d(first, second, 5, stride=3, bias=False)  # 6 px
        self.norm2 = BatchNorm(second)
        self.conv3 = nn.Conv2d(second, third, 5, stride=3, bias=False)  # 1 px
        self.norm3 = BatchNorm(third)
        self.score = nn.Linear(third, 1)
        self.project = nn.ModuleDict(
            {
                name: nn.Embedding(
                    len(attributes[name]),
                    third,
                    _weight=standard_normal(len(attributes[name]), third),
                )
                for name in attributes
            }
        )
        self.classify = nn.ModuleDict(
            {
                name: nn.Linear(third, len(attributes.offered(name)))
                for name in attributes.palette
                if UNKNOWN in attributes[name] or len(attributes[name]) > 1
            }
        )
        set_first_weights(self)
        for table in self.project.values():
            table.get_parameter("weight").data.mul_(FIRST_DEVIATION)

    @classmethod
    def from_header(cls, header: WeightsHeader) -> Self:
        """See :meth:`ConditionalCritic.from_header`."""
        check_resolution(header)
        second, first, _, _ = header.shape("conv2.weight", 4)
        return cls(
            read_attributes(header),
            channels=(first, second, header.shape("conv3.weight", 4)[0]),
        )

    @classmethod
    def for_training(cls, attributes: Taxonomy, resolution: int, width: float = 1.0) -> Self:
        """See :meth:`ConditionalCritic.for_training`; there is one resolution."""
        assert resolution == RESOLUTION
        return cls(attributes, channels=(scaled(64, width), scaled(128, width), scaled(256, width)))

    def forward(
        self, image: Tensor, labels: Mapping[str, Tensor], groups: int = 1
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See :meth:`ConditionalCritic.forward`."""
        x = functional.leaky_relu(self.conv1(image), SLOPE)
        x = functional.leaky_relu(in_groups(self.norm2, self.conv2(x), groups), SLOPE)
        x = functional.leaky_relu(in_groups(self.norm3, self.conv3(x), groups), SLOPE)
        h = x.flatten(1)  # [B, 256]
        score = self.score(h).squeeze(1)
        for name, table in self.project.items():
            score = score + (h * table(labels[name])).sum(1)
        return score, {name: classifier(h) for name, classifier in self.classify.items()}


def in_groups(norm: BatchNorm, x: Tensor, groups: int) -> Tensor:
    """Normalise equal runs of a batch each by its own statistics."""
    return torch.cat([norm(part) for part in x.chunk(groups)])


def set_first_weights(network: nn.Module) -> None:
    """Draw the kernels from N(0, 0.02^2), as the paper does."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            # torch's own initialiser would import its compiler where there are no values yet.
            module.weight.data = standard_normal(*module.weight.shape).mul_(FIRST_DEVIATION)
            if module.bias is not None:
                module.bias.data.zero_()


def check_resolution(header: WeightsHeader) -> None:
    """Make sure that a header tells the one resolution of this network.

    Raises:
        WeightsError: it tells another.
    """
    resolution = header.integer("resolution")
    if resolution != RESOLUTION:
        raise WeightsError(
            f"{header.path}: the resolution in the header is {resolution}, a dcgan has {RESOLUTION}"
        )


def scaled(channels: int, width: float) -> int:
    """Return a number of channels times a factor, never too few to work with."""
    return max(round(channels * width), 4)
