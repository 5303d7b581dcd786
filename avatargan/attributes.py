"""The taxonomy: which attributes there are, and which choices each has.

It is read from the header of the weights and nowhere else, so that weights with other attributes
or other choices work in every part of the package without a line being changed.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

import numpy as np

from avatargan.errors import AttributeChoiceError, TaxonomyError, did_you_mean

#: Asks for a choice drawn from the seed.
ANY = "any"
#: The choice that stands for a missing tag in training data; it is not offered to users.
UNKNOWN = "unknown"
#: The attribute that decides who a character is; every other one is part of the palette.
IDENTITY = "style"
#: Choices that are offered and marked, but never drawn for ``any``: what they give is not fit for
#: every use. Of "tv" most cut-outs are ragged.
EXPERIMENTAL: Mapping[str, frozenset[str]] = {IDENTITY: frozenset({"tv"})}
#: Words that calls and grids use beside the attributes, which go by their names.
RESERVED = frozenset({"self", "seed", "seeds", "psi", "size", "sliders"})


class Taxonomy(Mapping[str, tuple[str, ...]]):
    """Attribute names mapped to their choices, both in the order of the weights' indices."""

    def __init__(self, attributes: Mapping[str, tuple[str, ...] | list[str]]) -> None:
        self._choices = {name: tuple(choices) for name, choices in attributes.items()}

    @classmethod
    def from_json(cls, text: str) -> "Taxonomy":
        """Read a taxonomy from the JSON of a weights header or of a dataset.

        Raises:
            TaxonomyError: the text is not a JSON object of non-empty lists of distinct names.
        """
        try:
            attributes = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TaxonomyError(f"the attributes are not JSON: {error}") from error
        if not isinstance(attributes, dict) or not attributes:
            raise TaxonomyError("the attributes are not a JSON object of lists")
        for name, choices in attributes.items():
            check_attribute_name(name)
            if not isinstance(choices, list) or not all(map(is_name, choices)):
                raise TaxonomyError(f"the choices of {name} are not a list of names")
            if not set(choices) - {UNKNOWN} or len(set(choices)) < len(choices):
                raise TaxonomyError(f"the choices of {name} are empty or repeated")
        return cls(attributes)

    def to_json(self) -> str:
        """Return the text that :meth:`from_json` reads."""
        return json.dumps({name: list(choices) for name, choices in self.items()})

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._choices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    def __repr__(self) -> str:
        return f"Taxonomy({self._choices})"

    @property
    def identity(self) -> str | None:
        """The attribute that decides who a character is, if these weights have one."""
        return IDENTITY if IDENTITY in self._choices else None

    @property
    def palette(self) -> tuple[str, ...]:
        """The attributes that can change while the character stays the same."""
        return tuple(name for name in self._choices if name != IDENTITY)

    def offered(self, name: str) -> tuple[str, ...]:
        """Return the choices that a user may ask for: all but ``unknown``.

        Raises:
            AttributeChoiceError: there is no such attribute.
        """
        self._require_attribute(name)
        return tuple(choice for choice in self._choices[name] if choice != UNKNOWN)

    def experimental(self, name: str) -> tuple[str, ...]:
        """Return the choices of an attribute that are offered but never drawn for ``any``.

        Where there would be no others, none is.
        """
        offered = self.offered(name)
        marked = tuple(c for c in offered if c in EXPERIMENTAL.get(name, frozenset()))
        return marked if len(marked) < len(offered) else ()

    def default(self, name: str) -> str:
        """Return what is drawn where a user says nothing: the first style, any colour."""
        return self.offered(name)[0] if name == self.identity else ANY

    def check(self, name: str, choice: str) -> str:
        """Return ``choice``, a choice of attribute ``name`` or ``any``.

        Raises:
            AttributeChoiceError: there is no such attribute or choice; the message lists what
                there is and names the nearest spelling.
        """
        offered = (*self.offered(name), ANY)
        if choice not in offered:
            self._refuse(name, choice, offered)
        return choice

    def index(self, name: str, choice: str) -> int:
        """Return the index of a definite choice, ``unknown`` included, in its embedding.

        Raises:
            AttributeChoiceError: there is no such attribute or choice.
        """
        self._require_attribute(name)
        if choice not in self._choices[name]:
            self._refuse(name, choice, self.offered(name))
        return self._choices[name].index(choice)

    def resolve(self, wanted: Mapping[str, str], seed: int) -> dict[str, str]:
        """Return one definite choice for every attribute.

        What is not in ``wanted`` takes its default. ``any`` is drawn from the seed, and from
        nothing but the seed and the attribute's name: it depends neither on the other attributes
        nor on the other pictures.

        Raises:
            AttributeChoiceError: there is no such attribute or choice.
        """
        for name in wanted:
            self._require_attribute(name)
        resolved = {}
        for name in self._choices:
            choice = self.check(name, wanted.get(name, self.default(name)))
            resolved[name] = self._draw(name, seed) if choice == ANY else choice
        return resolved

    def _draw(self, name: str, seed: int) -> str:
        entropy = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
        experimental = self.experimental(name)
        offered = [choice for choice in self.offered(name) if choice not in experimental]
        return offered[int(np.random.Generator(np.random.Philox(entropy)).integers(len(offered)))]

    @staticmethod
    def _refuse(name: str, choice: object, offered: Sequence[str]) -> NoReturn:
        raise AttributeChoiceError(
            f"{name} has no choice '{choice}'{did_you_mean(str(choice), offered)} "
            f"(choices: {', '.join(offered)})"
        )

    def _require_attribute(self, name: str) -> None:
        if name not in self._choices:
            raise AttributeChoiceError(
                f"these weights have no attribute '{name}'{did_you_mean(name, self._choices)} "
                f"(attributes: {', '.join(self._choices)})"
            )


def check_attribute_name(name: object) -> None:
    """Make sure that a value can name an attribute.

    Raises:
        TaxonomyError: it cannot.
    """
    if not is_name(name) or name in RESERVED:
        raise TaxonomyError(
            f"{name!r} cannot be the name of an attribute (up to 40 letters and digits, with "
            "dashes and underscores, and not the name of an option)"
        )


def is_name(value: object) -> bool:
    """Tell whether a value can name an attribute or a choice: printable, short, no separators.

    Names reach file names, option names and pages, so the header of a weights file from a
    stranger must not smuggle anything into them.
    """
    return (
        isinstance(value, str)
        and 0 < len(value) <= 40
        and value != ANY
        and value.replace("-", "").replace("_", "").isalnum()
    )
