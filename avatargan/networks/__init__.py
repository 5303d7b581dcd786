"""The networks: generator, critic and upscaler, and how they are read from weights files."""

from avatargan.networks.conditional import ConditionalCritic, ConditionalGenerator
from avatargan.networks.critic import Critic
from avatargan.networks.generator import Generator
from avatargan.networks.loading import load_critic, load_generator, load_upscaler
from avatargan.networks.upscaler import Upscaler

__all__ = [
    "ConditionalCritic",
    "ConditionalGenerator",
    "Critic",
    "Generator",
    "Upscaler",
    "load_critic",
    "load_generator",
    "load_upscaler",
]
