"""Teaching a tagger one more attribute from a few dozen examples, without a new network.

Logistic regression on standardised features of the tagger. How good it is is found out by
cross-validation, from examples that were held back; the same answers calibrate it.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from avatargan.attributes import check_attribute_name
from avatargan.dataset.tags import OTHER_COLUMNS, PROBABILITY_ENDING
from avatargan.errors import OptionError
from avatargan.tagging.calibration import calibrated, fit_temperature
from avatargan.tagging.evaluation import AttributeFigures, figures_from
from avatargan.tagging.examples import Examples
from avatargan.tagging.heads import AttributeHead, head_inputs
from avatargan.tagging.tagger import Floats, Tagger

#: Parts of the examples that are held back in turn.
FOLDS = 5
#: Inverse strength of the penalty on the coefficients. Features by far outnumber examples.
REGULARISATION = 0.003
MOST_ITERATIONS = 5000
#: Half the width of a 95 % interval, in standard deviations.
NORMAL_95 = 1.96


@dataclass(frozen=True)
class Lesson:
    """A head that was taught, and what is known of it.

    Attributes:
        head: taught from all examples.
        figures: from the answers about examples that were held back.
        probabilities: those answers, ``[N, choices]``.
        interval: 95 % confidence interval of the accuracy.
    """

    head: AttributeHead
    figures: AttributeFigures
    probabilities: Floats
    interval: tuple[float, float]

    def mistakes(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which examples were told wrong, those that it was surest of first."""
        wrong = np.flatnonzero(self.probabilities.argmax(axis=1) != labels)
        return wrong[np.argsort(-self.probabilities[wrong].max(axis=1), kind="stable")]


def teach(attribute: str, examples: Examples, tagger: Tagger, *, seed: int = 0) -> Lesson:
    """Teach a head and measure it.

    Args:
        attribute: its name.
        examples: see :func:`avatargan.tagging.examples.read_examples`.
        tagger: whose features are used.
        seed: decides which examples are held back together.

    Raises:
        OptionError: the tagger knows an attribute of that name already, or tables have a column
            of that name.
        TaxonomyError: nothing can be called that.
    """
    check_new_attribute(attribute, tagger)
    plain = head_inputs(tagger.look(examples.pictures))
    # A face and its mirror image have the same attributes: twice the examples.
    mirrored = head_inputs(tagger.look(examples.pictures[:, :, ::-1]))
    labels = examples.labels
    folds = StratifiedKFold(
        min(FOLDS, int(np.bincount(labels).min())), shuffle=True, random_state=seed
    )
    held_back = np.zeros((len(labels), len(examples.choices)))
    for learnt, asked in folds.split(plain, labels):
        model = _fit(plain[learnt], mirrored[learnt], labels[learnt])
        held_back[asked] = model.scores(plain[asked])
    scores = torch.from_numpy(held_back)
    # As much doubt as one example of each choice more, told wrong, would leave: Platt's targets
    # ("Probabilistic Outputs for Support Vector Machines", 1999).
    doubt = len(examples.choices) / (len(labels) / len(examples.choices) + 2)
    temperature = fit_temperature(scores, torch.from_numpy(labels), doubt=doubt)
    probabilities = calibrated(scores, temperature).numpy()
    figures = figures_from(examples.choices, probabilities, labels)
    model = _fit(plain, mirrored, labels)
    head = AttributeHead(
        attribute,
        examples.choices,
        model.mean.astype(np.float32),
        model.scale.astype(np.float32),
        (model.coefficients / temperature).astype(np.float32),
        (model.intercepts / temperature).astype(np.float32),
        tagger.sha256,
    )
    return Lesson(head, figures, probabilities, wilson_interval(figures.accuracy, figures.count))


def check_new_attribute(attribute: str, tagger: Tagger) -> None:
    """Make sure that a tagger can be taught an attribute of that name; errors as above."""
    check_attribute_name(attribute)
    if attribute in tagger.attributes:
        raise OptionError(
            f"the tagger knows an attribute '{attribute}' already; choose another name"
        )
    if attribute in OTHER_COLUMNS or attribute.endswith(PROBABILITY_ENDING):
        raise OptionError(
            f"'{attribute}' is the name of a column with another meaning in tables of tags; "
            "choose another name"
        )


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share that was seen in ``count`` trials.

    Wilson's score interval, which holds for shares near 1 too (doi 10.1080/01621459.1927.10502953).
    """
    z = NORMAL_95
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count)
    half *= math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class _Model:
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def scores(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        standardised = (inputs - self.mean) / self.scale
        scores: NDArray[np.float64] = standardised @ self.coefficients.T + self.intercepts
        return scores


def _fit(
    plain: NDArray[np.float64], mirrored: NDArray[np.float64], labels: NDArray[np.int64]
) -> _Model:
    inputs = np.concatenate([plain, mirrored])
    scaler = StandardScaler().fit(inputs)
    regression = LogisticRegression(
        C=REGULARISATION, class_weight="balanced", max_iter=MOST_ITERATIONS
    )
    regression.fit(scaler.transform(inputs), np.concatenate([labels, labels]))
    coefficients, intercepts = regression.coef_, regression.intercept_
    if len(coefficients) == 1:  # of two choices, only the second has coefficients
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    return _Model(scaler.mean_, scaler.scale_, coefficients, intercepts)
