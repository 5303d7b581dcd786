"""What the pictures of an export may be used for, as a word in the manifest and as a note."""

from avatargan.errors import OptionError, one_line
from avatargan.export.plan import ExportPlan

#: Of the weights that come with avatargan: their training pictures state no licence.
SHIPPED = "research-and-personal-use"
#: Of weights that nobody said anything about.
UNSTATED = "unstated"

_SHIPPED_NOTE = """\
They were drawn with the weights that come with avatargan. Those were trained on public research
collections of anime faces that state no licence. The weights, and what is drawn with them, are
meant for research and personal use: prototypes, jams, avatars of your own.

For a game that is sold, train weights on pictures that you hold a licence for, and export with
those: the manifest then carries the licence that you give with --licence.
"""
_UNSTATED_NOTE = """\
They were drawn with weights that state no licence. Ask whoever trained them what the pictures may
be used for; export again with --licence to have the answer in the manifest.
"""
_OTHER_NOTE = """\
They were drawn with weights whose pictures come under the licence above, as stated by whoever
made this export.
"""


def licence_of(given: str | None, *, shipped_weights: bool) -> str:
    """Return the licence that the manifest names.

    Args:
        given: what the user says; it goes before all else.
        shipped_weights: whether the pictures are drawn with the weights that come with avatargan.

    Raises:
        OptionError: what the user says is empty.
    """
    if given is not None:
        if not given.strip():
            raise OptionError(
                "the licence is empty; name one, such as CC-BY-4.0, or leave --licence out"
            )
        return one_line(given.strip())
    return SHIPPED if shipped_weights else UNSTATED


def note(plan: ExportPlan) -> str:
    """Return the text of the licence file."""
    texts = {SHIPPED: _SHIPPED_NOTE, UNSTATED: _UNSTATED_NOTE}
    return (
        f"Licence of these pictures: {plan.licence}\n\n"
        f"{texts.get(plan.licence, _OTHER_NOTE)}\n"
        f"Drawn with avatargan {plan.version}, weights SHA-256 {plan.weights_sha256}.\n"
        "avatargan itself is under the MIT licence, which says nothing about the pictures.\n"
    )
