"""What ``avatargan generate`` is going to draw: names of files and recipes, in step.

Both are made anew each time they are asked for, so that ten thousand avatars need no more memory
than ten, and names can be checked before anything is drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL import Image

    from avatargan.latents import Latents
    from avatargan.pipeline import AvatarPipeline
    from avatargan.recipe import Recipe


class RecipePlan(Protocol):
    """Avatars that are drawn from recipes."""

    def __len__(self) -> int: ...

    def names(self) -> Iterator[str]:
        """Yield the names of the files, without folder and ending."""
        ...

    def recipes(self, pipeline: "AvatarPipeline") -> "Iterator[Recipe]":
        """Yield what is drawn; errors as for :meth:`AvatarPipeline.recipes`."""
        ...


@dataclass(frozen=True)
class SeedsPlan:
    """One avatar per seed.

    Attributes:
        seeds: each once.
        attributes: choices by name; what is left out takes its default.
        fields: psi and size, where they are not to be the default.
        sliders: amounts by name.
    """

    seeds: Sequence[int]
    attributes: Mapping[str, str]
    fields: Mapping[str, Any]
    sliders: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seeds)

    def names(self) -> Iterator[str]:
        """See :class:`RecipePlan`."""
        return (f"avatar-{seed}" for seed in self.seeds)

    def recipes(self, pipeline: "AvatarPipeline") -> "Iterator[Recipe]":
        """See :class:`RecipePlan`."""
        for seed in self.seeds:
            for recipe in pipeline.recipes(seed, **{**self.fields, **self.attributes}):
                yield pipeline.slide(recipe, self.sliders)


@dataclass(frozen=True)
class RedrawPlan:
    """One avatar again, perhaps with other attributes.

    Attributes:
        recipe: what it was drawn from.
        name: the name of the file.
        attributes: choices that replace those of the recipe.
        fields: other fields that replace those of the recipe.
        sliders: amounts by name.
    """

    recipe: "Recipe"
    name: str
    attributes: Mapping[str, str]
    fields: Mapping[str, Any]
    sliders: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return 1

    def names(self) -> Iterator[str]:
        """See :class:`RecipePlan`."""
        yield self.name

    def recipes(self, pipeline: "AvatarPipeline") -> "Iterator[Recipe]":
        """See :class:`RecipePlan`."""
        from avatargan.recipe import changed
        from avatargan.version import __version__

        wanted = {**self.recipe.attributes, **self.attributes}
        fields = {
            "attributes": pipeline.attributes.resolve(wanted, self.recipe.number),
            "version": __version__,
        }
        redrawn = changed(self.recipe, **fields | dict(self.fields))
        yield pipeline.slide(redrawn, self.sliders)


@dataclass(frozen=True)
class VariationsPlan:
    """Variations around each avatar of another plan."""

    around: RecipePlan
    strength: float
    count: int

    def __len__(self) -> int:
        return len(self.around) * self.count

    def names(self) -> Iterator[str]:
        """See :class:`RecipePlan`."""
        for name in self.around.names():
            yield from (f"{name}-v{index}" for index in range(1, self.count + 1))

    def recipes(self, pipeline: "AvatarPipeline") -> "Iterator[Recipe]":
        """See :class:`RecipePlan`."""
        from avatargan.recipe import vary

        for recipe in self.around.recipes(pipeline):
            yield from vary(recipe, self.strength, self.count)


@dataclass(frozen=True)
class LatentsPlan:
    """One avatar per row of latents, which need not have a recipe."""

    latents: "Latents"
    name: str
    size: int | None

    def __len__(self) -> int:
        return len(self.latents)

    def names(self) -> Iterator[str]:
        """See :class:`RecipePlan`."""
        digits = len(str(len(self)))
        return (f"{self.name}-{row:0{digits}}" for row in range(1, len(self) + 1))


def recipes_of(
    plan: RecipePlan | LatentsPlan, pipeline: "AvatarPipeline"
) -> "Iterator[Recipe | None]":
    """Yield the recipe of each avatar of a plan, None where it has none."""
    if isinstance(plan, LatentsPlan):
        return pipeline.recipes_behind(plan.latents, plan.size)
    return plan.recipes(pipeline)


def draw(
    plan: RecipePlan | LatentsPlan, pipeline: "AvatarPipeline"
) -> "Iterator[tuple[Image.Image, Recipe | None]]":
    """Draw a plan picture by picture; errors as for :meth:`AvatarPipeline.draw`."""
    if isinstance(plan, LatentsPlan):
        images = pipeline.draw_latents(plan.latents, plan.size)
        yield from zip(images, recipes_of(plan, pipeline), strict=True)
    else:
        for avatar in pipeline.draw(plan.recipes(pipeline)):
            yield avatar.image, avatar.recipe
