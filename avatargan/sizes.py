"""The sizes in which pictures can be drawn."""

#: How many times the upscaler enlarges.
SCALE = 4


def sizes_for(resolution: int) -> tuple[int, ...]:
    """Return the sizes that can be drawn: the generator's own, and what the upscaler makes."""
    return tuple(resolution * factor for factor in (1, SCALE // 2, SCALE))
