"""One option per attribute of the weights: ``--hair``, ``--eyes``, whatever the header names.

A command gets them by ``app.command(cls=AttributeCommand)`` and reads what was chosen with
:func:`chosen`; with ``cls=AttributeListCommand`` each option takes several choices, which
:func:`chosen_lists` returns. Values are checked against the taxonomy before the command runs.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from avatargan.attributes import ANY, Taxonomy
from avatargan.errors import OptionError, WeightsError
from avatargan.weights_header import (
    GENERATOR_ROLE,
    SHIPPED_GENERATOR,
    read_header,
    shipped_weights,
)

#: Stands for every choice where lists are taken.
ALL = "all"

_OPTIONS = "avatargan.attribute_options"
_CHOSEN = "avatargan.chosen_attributes"


class AttributeCommand(TyperCommand):
    """A command with one option per attribute, each taking one choice or "any"."""

    takes_lists = False
    may_repeat = True

    # Contexts and parameters are of typer's private classes, hence Any.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Make the options of the weights that the arguments name, then parse as usual.

        Raises:
            WeightsError: the weights cannot be read.
            AttributeChoiceError: an attribute has no such choice.
        """
        try:
            taxonomy = read_taxonomy(_find_weights(args))
        except WeightsError:
            if not ctx.resilient_parsing:  # a shell that completes wants no errors
                raise
            return super().parse_args(ctx, args)
        taken = {name for param in self.params for name in (*param.opts, *param.secondary_opts)}
        options = _make_options(taxonomy, taken, self.takes_lists)
        ctx.meta[_OPTIONS] = list(options.values())
        rest = super().parse_args(ctx, args)
        given = {name: ctx.params.pop(option.name, None) for name, option in options.items()}
        parse = _parse_list if self.takes_lists else _parse_one
        ctx.meta[_CHOSEN] = {
            name: parse(taxonomy, name, text) for name, text in given.items() if text is not None
        }
        if not self.may_repeat:
            _refuse_repeats(ctx.meta[_CHOSEN])
        return rest

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the attribute options, then those of the command itself."""
        return [*ctx.meta.get(_OPTIONS, []), *super().get_params(ctx)]


class AttributeListCommand(AttributeCommand):
    """The same with several choices for each attribute: "pink,blue", or "all"."""

    takes_lists = True
    may_repeat = False


class AttributeSequenceCommand(AttributeListCommand):
    """The same where a choice may come back: "pink,blue,pink"."""

    may_repeat = True


def chosen(context: typer.Context) -> dict[str, str]:
    """Return the choices that were given to an :class:`AttributeCommand`, by attribute."""
    return dict(context.meta[_CHOSEN])


def chosen_lists(context: typer.Context) -> dict[str, list[str]]:
    """Return what was given to an :class:`AttributeListCommand`, in the order it was given."""
    return dict(context.meta[_CHOSEN])


def read_taxonomy(weights: Path | None) -> Taxonomy:
    """Return the taxonomy of a generator's weights (the shipped ones by default).

    Raises:
        WeightsError: see :func:`avatargan.weights_header.read_header`.
    """
    return read_header(weights or shipped_weights(SHIPPED_GENERATOR), GENERATOR_ROLE).attributes


def _find_weights(args: Sequence[str]) -> Path | None:
    """Return the value of ``--weights`` before the arguments are parsed: it decides the options."""
    found = None
    for position, argument in enumerate(args):
        if argument == "--":
            break
        if argument == "--weights" and position + 1 < len(args):
            found = args[position + 1]
        elif argument.startswith("--weights="):
            found = argument.removeprefix("--weights=")
    return None if found is None else Path(found)


def _make_options(taxonomy: Taxonomy, taken: Iterable[str], takes_lists: bool) -> dict[str, Any]:
    """Return typer's parameter for each attribute."""
    taken = {"--help", *taken}
    parameters = []
    for index, name in enumerate(taxonomy):
        flags = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
        if taken.intersection(flags):  # an attribute called "size" must not hide the option
            flags = {f"--attribute-{name}": None}
        option = typer.Option(
            *flags,
            metavar="CHOICE,..." if takes_lists else "CHOICE",
            help=_describe(taxonomy, name, takes_lists),
            autocompletion=_completer(taxonomy, name),
        )
        parameters.append(
            inspect.Parameter(
                f"attribute_{index}",  # choices come from a file: no name is an identifier
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[str | None, option],
            )
        )

    def command(**_: str | None) -> None:
        """Carry the parameters to typer, which turns them into its own."""

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    carrier = typer.Typer(add_completion=False)
    carrier.command()(command)
    return dict(zip(taxonomy, typer.main.get_command(carrier).params, strict=True))


def _describe(taxonomy: Taxonomy, name: str, takes_lists: bool) -> str:
    marked = taxonomy.experimental(name)
    words = ", ".join(
        f"{choice} (experimental)" if choice in marked else choice
        for choice in taxonomy.offered(name)
    )
    several = "One or several of" if takes_lists else "One of"
    everything = f" '{ALL}' takes each of them;" if takes_lists else ""
    return (
        f"{several} {words};{everything} '{ANY}' draws it from the seed.  "
        f"[default: {taxonomy.default(name)}]"
    )


def _completer(taxonomy: Taxonomy, name: str) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        choices = (*taxonomy.offered(name), ANY)
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


def _parse_one(taxonomy: Taxonomy, name: str, text: str) -> str:
    return taxonomy.check(name, text.strip())


def _parse_list(taxonomy: Taxonomy, name: str, text: str) -> list[str]:
    if text.strip() == ALL and ALL not in taxonomy.offered(name):
        return list(taxonomy.offered(name))
    return [_parse_one(taxonomy, name, part) for part in text.split(",")]


def _refuse_repeats(given: Mapping[str, Sequence[str]]) -> None:
    for name, choices in given.items():
        for choice in choices:
            if choices.count(choice) > 1:
                raise OptionError(f"{name} lists '{choice}' more than once")
