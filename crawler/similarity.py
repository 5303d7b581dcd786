"""How alike two pictures look, by their perceptual hashes."""


def distance(one: int, other: int) -> int:
    """Return in how many of the 64 bits two perceptual hashes differ."""
    return (one ^ other).bit_count()
