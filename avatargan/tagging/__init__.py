"""Tagging: attributes of faces, with a probability for each choice."""

from avatargan.tagging.tagger import Look, Tagger, load_judge, load_tagger

__all__ = ["Look", "Tagger", "load_judge", "load_tagger"]
