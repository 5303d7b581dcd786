"""The drawing board: a few lines and colours become an avatar."""

from avatargan.sketching.sketcher import (
    CLEAN_UP_TO,
    DEFAULT_FOLLOW,
    MOST_PROPOSALS,
    Sketched,
    SketchedAvatar,
    Sketcher,
)

__all__ = [
    "CLEAN_UP_TO",
    "DEFAULT_FOLLOW",
    "MOST_PROPOSALS",
    "Sketched",
    "SketchedAvatar",
    "Sketcher",
]
