"""Which measures became sliders, what they are called, and how far they go."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SliderPlan:
    """A slider to be found.

    Attributes:
        measure: what it moves, of :data:`avatargan.editing.training.measures.MEASURES`.
        reach: how far it goes either way, in deviations of its measure; farther, looked at on
            contact sheets, faces come apart.
        changes: in words, what grows with the amount.
        names: by language.
        walk: "mixed" of all walks, or the measure's own "coarse" walk, or its own in "all" blocks.
    """

    measure: str
    reach: float
    changes: str
    names: Mapping[str, str]
    walk: str = "mixed"


#: What walks of their own hold: the rest may come along, or steps grow too long.
HELD_BY_OWN_WALKS = (
    "height in the picture",
    "eye size",
    "skin brightness",
    "blush",
    "contrast",
    "hair brightness",
)

#: By name, in the order in which they are shown.
SLIDERS: Mapping[str, SliderPlan] = {
    "turn": SliderPlan(
        "turn",
        0.5,
        "the face turns, from the right of the picture to the left",
        {"en": "Turn", "zh": "转头", "ja": "顔の向き", "ko": "얼굴 방향"},
        "coarse",
    ),
    "closeness": SliderPlan(
        "closeness",
        0.6,
        "the face comes closer",
        {"en": "Closeness", "zh": "远近", "ja": "顔の近さ", "ko": "가까이"},
        "coarse",
    ),
    "height": SliderPlan(
        "height in the picture",
        1.1,
        "the face moves down in the picture",
        {"en": "Face lower", "zh": "脸的位置(低)", "ja": "顔の位置(下)", "ko": "얼굴 위치(아래)"},
    ),
    "hair length": SliderPlan(
        "hair length",
        1.6,
        "longer hair",
        {"en": "Hair length", "zh": "头发长度", "ja": "髪の長さ", "ko": "머리 길이"},
    ),
    "eye size": SliderPlan(
        "eye size",
        0.9,
        "larger irises",
        {"en": "Eye size", "zh": "眼睛大小", "ja": "目の大きさ", "ko": "눈 크기"},
    ),
    "eye shape": SliderPlan(
        "eye shape",
        1.1,
        "from narrow eyes to round ones",
        {"en": "Eye roundness", "zh": "眼睛圆度", "ja": "目の丸み", "ko": "눈 둥글기"},
    ),
    "skin brightness": SliderPlan(
        "skin brightness",
        0.6,
        "lighter skin",
        {"en": "Skin brightness", "zh": "肤色亮度", "ja": "肌の明るさ", "ko": "피부 밝기"},
    ),
    "blush": SliderPlan(
        "blush",
        0.9,
        "rosier cheeks",
        {"en": "Blush", "zh": "红晕", "ja": "頬の赤み", "ko": "홍조"},
    ),
    "hair brightness": SliderPlan(
        "hair brightness",
        1.2,
        "lighter hair of the same colour",
        {"en": "Hair brightness", "zh": "发色亮度", "ja": "髪の明るさ", "ko": "머리 밝기"},
    ),
    "contrast": SliderPlan(
        "contrast",
        0.8,
        "stronger light and shade",
        {"en": "Contrast", "zh": "对比度", "ja": "コントラスト", "ko": "대비"},
    ),
}
