"""Choosing some of many."""


def evenly_spread(count: int, most: int) -> list[int]:
    """Return at most so many of the numbers below ``count``, spread over all of them."""
    if count <= most:
        return list(range(count))
    return [index * count // most for index in range(most)]
