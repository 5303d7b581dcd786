"""The networks by name: what can be trained, and what the header of a weights file may name.

Another network is a module with a generator and a critic, and an entry here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from avatargan.errors import OptionError, WeightsError, did_you_mean
from avatargan.networks import dcgan
from avatargan.networks.conditional import ConditionalCritic, ConditionalGenerator
from avatargan.networks.critic import Critic
from avatargan.networks.dcgan import DcganCritic, DcganGenerator
from avatargan.networks.generator import Generator
from avatargan.networks.recolouring import RecolouringGenerator
from avatargan.weights_header import WeightsHeader


@dataclass(frozen=True)
class NetworkFamily:
    """A generator and the critic that it is trained with.

    Attributes:
        description: one line for people.
        generator: the class of the generator.
        critic: the class of the critic.
        resolutions: sides in pixels that can be trained.
        default_resolution: the one that is trained unless another is asked for.
        learning_rate: of Adam, for both networks.
        betas: of Adam.
    """

    description: str
    generator: type[ConditionalGenerator]
    critic: type[ConditionalCritic]
    resolutions: tuple[int, ...]
    default_resolution: int
    learning_rate: float
    betas: tuple[float, float]

    @property
    def architecture(self) -> str:
        """The name in the header of weights files."""
        return self.generator.architecture


NETWORKS: Mapping[str, NetworkFamily] = {
    "avatar128": NetworkFamily(
        description="modulated convolutions, colours from 16 px up",
        generator=Generator,
        critic=Critic,
        resolutions=(16, 32, 64, 128, 256, 512),
        default_resolution=128,
        learning_rate=0.0025,
        betas=(0.0, 0.99),
    ),
    "recolouring128": NetworkFamily(
        description="the shipped network since its colours are painted on parts that it finds",
        generator=RecolouringGenerator,
        critic=Critic,
        resolutions=(16, 32, 64, 128, 256, 512),
        default_resolution=128,
        learning_rate=0.0025,
        betas=(0.0, 0.99),
    ),
    "dcgan64": NetworkFamily(
        description="a plain conditional DCGAN of 64 px, the baseline",
        generator=DcganGenerator,
        critic=DcganCritic,
        resolutions=(dcgan.RESOLUTION,),
        default_resolution=dcgan.RESOLUTION,
        learning_rate=0.0002,
        betas=(0.5, 0.999),
    ),
}


def network_family(name: str) -> NetworkFamily:
    """Return a family by its name.

    Raises:
        OptionError: there is none of that name.
    """
    if name not in NETWORKS:
        raise OptionError(
            f"there is no network '{name}'{did_you_mean(name, NETWORKS)} "
            f"(networks: {', '.join(NETWORKS)})"
        )
    return NETWORKS[name]


def family_of(header: WeightsHeader) -> NetworkFamily:
    """Return the family of the network in a weights file.

    Raises:
        WeightsError: its header names an architecture that is not known here.
    """
    for family in NETWORKS.values():
        if family.architecture == header.architecture:
            return family
    known = ", ".join(family.architecture for family in NETWORKS.values())
    raise WeightsError(
        f"{header.path}: the header names the architecture {header.architecture[:40]!r}, "
        f"which this version does not know (known: {known})"
    )
