"""Making one picture look as if another hand, medium or camera had made it."""

from collections.abc import Callable

import cv2
import numpy as np

from face_crop.training.painting import Picture, random_colour

Change = Callable[[Picture, np.random.Generator], Picture]


def restyled(picture: Picture, random: np.random.Generator) -> Picture:
    """Return the picture after a random few of the changes below, each with its own chance."""
    for change, chance in _CHANGES.items():
        if random.random() < chance:
            picture = change(picture, random)
    return picture


def grey(picture: Picture, random: np.random.Generator) -> Picture:
    """Take the colours out; some are tinted like old paper."""
    level = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    if random.random() < 0.3:
        paper = 255 - 0.5 * (255 - np.array(random_colour(random), np.float32))
        return _to_uint8(level * paper / 255)
    return np.repeat(level, 3, -1).astype(np.uint8)


def pencil(picture: Picture, random: np.random.Generator) -> Picture:
    """Leave lines on white, as a sketch has; some keep a little of the colours."""
    level = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(level, (0, 0), random.uniform(1.5, 5))
    lines = np.clip(level / np.maximum(smooth, 8), 0, 1) ** random.uniform(1, 4)
    paper = np.float32(255 - random.uniform(0, 30))
    sketch = np.repeat((lines * paper)[..., None], 3, -1)
    if random.random() < 0.4:
        wash = random.uniform(0.1, 0.6)
        sketch = sketch * (1 - wash + wash * picture / 255)
    return _to_uint8(sketch)


def tones(picture: Picture, random: np.random.Generator) -> Picture:
    """Change lightness, contrast and gamma."""
    values = (picture / np.float32(255)) ** np.float32(np.exp(random.normal(0, 0.4)))
    gain, lift = np.exp(random.normal(0, 0.25)), random.normal(0, 0.08)
    return _to_uint8(((values - 0.5) * gain + 0.5 + lift) * 255)


def colours(picture: Picture, random: np.random.Generator) -> Picture:
    """Turn the hues and change their strength."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + random.normal(0, 12)) % 180
    hsv[..., 1] = hsv[..., 1] * random.uniform(0.2, 1.7)
    return np.asarray(cv2.cvtColor(_to_uint8(hsv), cv2.COLOR_HSV2RGB), np.uint8)


def tint(picture: Picture, random: np.random.Generator) -> Picture:
    """Lay coloured light over the picture, stronger on one side."""
    height, width = picture.shape[:2]
    corners = random.uniform(0.2, 1.2, (2, 2, 3)).astype(np.float32)
    light = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    return _to_uint8(picture * light)


def flat_tones(picture: Picture, random: np.random.Generator) -> Picture:
    """Leave a few levels, like cel shading or a poster."""
    step = 256 / random.integers(2, 7)
    return _to_uint8((picture // step + 0.5) * step)


def brushed(picture: Picture, random: np.random.Generator) -> Picture:
    """Smear details as a broad brush does."""
    return np.asarray(cv2.medianBlur(picture, int(random.choice([3, 5]))), np.uint8)


def blurred(picture: Picture, random: np.random.Generator) -> Picture:
    """Put the picture out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.6)), np.uint8)


def coarse(picture: Picture, random: np.random.Generator) -> Picture:
    """Throw resolution away and enlarge again."""
    height, width = picture.shape[:2]
    share = random.uniform(0.4, 0.9)
    small = cv2.resize(
        picture, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA
    )
    way = int(random.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST]))
    return np.asarray(cv2.resize(small, (width, height), interpolation=way), np.uint8)


def noisy(picture: Picture, random: np.random.Generator) -> Picture:
    """Add grain."""
    grain = random.normal(0, 1, picture.shape[:2]).astype(np.float32)[..., None]
    return _to_uint8(picture + grain * random.uniform(2, 18))


def compressed(picture: Picture, random: np.random.Generator) -> Picture:
    """Pass the picture through JPEG."""
    quality = int(random.integers(25, 95))
    done, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def negative(picture: Picture, random: np.random.Generator) -> Picture:
    """Turn light and dark round."""
    return np.asarray(255 - picture, np.uint8)


_CHANGES: dict[Change, float] = {
    flat_tones: 0.06,
    brushed: 0.15,
    colours: 0.4,
    tint: 0.25,
    tones: 0.5,
    pencil: 0.08,
    grey: 0.2,
    negative: 0.01,
    blurred: 0.2,
    coarse: 0.2,
    noisy: 0.15,
    compressed: 0.4,
}


def _to_uint8(values: np.ndarray) -> Picture:
    return np.asarray(values.clip(0, 255), np.uint8)
