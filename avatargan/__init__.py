"""avatargan: draws anime avatars with chosen attributes."""

from avatargan.version import __version__

__all__ = ["__version__"]
