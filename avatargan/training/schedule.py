"""The learning rate over a run."""

import math

#: Up to this part of the run the rate stays as it is.
DECAY_FROM = 0.6
#: What it falls to, as a part of the full rate.
FINAL_FACTOR = 0.05


def learning_rate_factor(images_seen: int, images: int) -> float:
    """Return the factor on the learning rate: 1, then a cosine to 5 % over the last 40 %.

    A function of the position alone, so that a continued run needs no state for it.

    Args:
        images_seen: how many images were seen before this step.
        images: how many the run will have seen at its end.
    """
    progress = images_seen / max(images, 1)
    decay = min(max((progress - DECAY_FROM) / (1 - DECAY_FROM), 0), 1)
    return FINAL_FACTOR + (1 - FINAL_FACTOR) * (1 + math.cos(math.pi * decay)) / 2
