"""From what a user asks for to a plan, and from a plan to what carries it out."""

import hashlib
from collections.abc import Mapping, Sequence

from torch import nn

from avatargan.attributes import Taxonomy
from avatargan.devices import choose_engine
from avatargan.errors import OptionError
from avatargan.export import licence, manifest
from avatargan.export.judge import TaggerJudge
from avatargan.export.plan import ExportPlan, SheetOptions, check_plan
from avatargan.export.renpy import check_tag
from avatargan.export.studio import Finisher, LocalStudio
from avatargan.export.wanted import COLUMNS, WantedCharacter
from avatargan.latents import check_seed
from avatargan.pipeline import DEFAULT_PSI, AvatarPipeline
from avatargan.transparency import load_background_remover
from avatargan.version import __version__
from avatargan.weights_header import shipped_generators


def create_plan(
    pipeline: AvatarPipeline,
    *,
    count: int | None = None,
    first_seed: int = 0,
    wanted: Mapping[str, str] | None = None,
    characters: Sequence[WantedCharacter] | None = None,
    psi: float = DEFAULT_PSI,
    size: int | None = None,
    transparent: bool = False,
    palette: Sequence[str] = (),
    name: str | None = None,
    renpy: str | None = None,
    with_manifest: bool = True,
    with_preview: bool = True,
    sheet: SheetOptions | None = None,
    allow_duplicates: bool = False,
    min_confidence: float | None = None,
    any_quality: bool = True,
    licence_name: str | None = None,
    device: str = "auto",
    engine: str = "auto",
) -> ExportPlan:
    """Return a plan that can be carried out.

    Args:
        pipeline: what is to draw.
        count: how many characters; one by default, or as many as ``characters`` has.
        first_seed: the seed of the first; the others follow.
        wanted: the choice of each attribute, or "any"; what is left out takes its default.
        characters: what single characters ask for (:func:`avatargan.export.wanted.read_wanted`).
        psi: truncation.
        size: side in pixels; the largest by default.
        transparent: whether the background is cut away.
        palette: attributes; each character is drawn with every colour of them.
        name: template of the file names.
        renpy: image tag of a Ren'Py character.
        with_manifest: whether the manifests are written.
        with_preview: whether the preview page is written.
        sheet: how sprite sheets are laid out, if there are to be any.
        allow_duplicates: keep characters that look like an earlier one.
        min_confidence: how sure the judge must be of every attribute it knows.
        any_quality: keep characters, too, that are likely drawn badly
            (:mod:`avatargan.quality`), as a series that somebody named must.
        licence_name: the licence that the manifest names.
        device: the device that the pipeline was loaded for.
        engine: the engine that the pipeline was loaded for.

    Raises:
        OptionError: options are out of range or contradict each other, a name cannot be that of a
            file, or two pictures would have the same one.
    """
    taxonomy = pipeline.attributes
    if characters is not None:
        if count is not None and count != len(characters):
            raise OptionError("the number of characters follows from the rows; leave it out")
        count = len(characters)
    count = 1 if count is None else count
    if count < 1:
        raise OptionError(f"the number of avatars must be 1 or more, got {count}")
    _check_attribute_names(taxonomy)
    if renpy is not None:
        check_tag(renpy)
    colours = {attribute: _colours(taxonomy, attribute) for attribute in palette}
    if name is None:
        name = _default_name(taxonomy, count, characters, list(colours), renpy)
    if renpy is not None:
        name = f"{renpy}_{name}"
    judge_sha256 = None
    if min_confidence is not None:
        judge_sha256 = TaggerJudge.load(taxonomy).sha256
    device, engine = choose_engine(device, engine)
    quality = pipeline.quality
    plan = ExportPlan(
        version=__version__,
        weights_sha256=pipeline.weights_sha256,
        upscaler_sha256=_digest(pipeline.upscaler),
        device=device,
        engine=engine,
        attributes=dict(taxonomy),
        count=count,
        first_seed=check_seed(first_seed),
        wanted=_complete(taxonomy, wanted or {}),
        characters=tuple(characters) if characters is not None else None,
        psi=psi,
        size=pipeline.default_size if size is None else size,
        transparent=transparent,
        palette=colours,
        name=name,
        renpy=renpy,
        manifest=with_manifest,
        preview=with_preview,
        sheet=sheet,
        allow_duplicates=allow_duplicates,
        min_confidence=min_confidence,
        judge_sha256=judge_sha256,
        quality_sha256=None if any_quality or quality is None else quality.sha256,
        licence=licence.licence_of(
            licence_name, shipped_weights=pipeline.weights_sha256 in shipped_generators()
        ),
    )
    check_plan(plan, pipeline.sizes)
    return plan


def create_studio(plan: ExportPlan, pipeline: AvatarPipeline) -> LocalStudio:
    """Return what draws a plan in this process.

    Raises:
        WeightsError: the weights of the matting network or of the judge are missing or damaged.
    """
    return LocalStudio(pipeline, create_finisher(plan))


def create_finisher(plan: ExportPlan) -> Finisher:
    """Return what finishes the pictures of a plan; errors as above."""
    return Finisher(
        remover=load_background_remover(plan.engine) if plan.transparent else None,
        judge=TaggerJudge.load(plan.taxonomy) if plan.min_confidence is not None else None,
        min_confidence=plan.min_confidence or 0.0,
    )


def _check_attribute_names(taxonomy: Taxonomy) -> None:
    """Find attributes that a manifest or a template could not tell from fields of their own."""
    taken = {*manifest.LEFT, *manifest.RIGHT, manifest.RENPY, "index", *COLUMNS}
    for name in taxonomy:
        if name in taken:
            raise OptionError(
                f"exports have a field '{name}' of their own, and these weights have an attribute "
                "of that name; call it something else in the header of the weights"
            )


def _complete(taxonomy: Taxonomy, wanted: Mapping[str, str]) -> dict[str, str]:
    for name, choice in wanted.items():
        taxonomy.check(name, choice)
    return {name: wanted.get(name, taxonomy.default(name)) for name in taxonomy}


def _colours(taxonomy: Taxonomy, attribute: str) -> tuple[str, ...]:
    choices = taxonomy.offered(attribute)
    if attribute not in taxonomy.palette:
        raise OptionError(
            f"a palette of {attribute} would be of other characters; choose one of "
            f"{', '.join(taxonomy.palette)}"
        )
    return choices


def _default_name(
    taxonomy: Taxonomy,
    count: int,
    characters: Sequence[WantedCharacter] | None,
    palette: Sequence[str],
    renpy: str | None,
) -> str:
    if characters is not None:
        own = [row.seed for row in characters if row.seed is not None]
        if all(row.name for row in characters):
            parts = ["{name}"]
        elif len(set(own)) == len(own):
            parts = ["avatar_{seed}"]
        else:  # one seed in several rows, in other colours perhaps
            parts = ["avatar_{seed}_{index:03d}"]
    elif renpy is None:
        parts = ["avatar_{seed}"]
    elif palette and count == 1:
        parts = []
    else:
        parts = [*(f"{{{name}}}" for name in taxonomy.palette if name not in palette), "{seed}"]
    return "_".join([*parts, *(f"{{{name}}}" for name in palette)])


def _digest(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
