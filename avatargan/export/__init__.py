"""Batch export: folders of avatars with manifest, sprite sheets and a preview page.

>>> plan = create_plan(pipeline, count=500, wanted={"hair": "any"}, size=256)
>>> exporter = Exporter(plan, ExportFolder("characters"), create_studio(plan, pipeline))
>>> for file in exporter.run():
...     print(file)
"""

from avatargan.export.create import create_plan, create_studio
from avatargan.export.estimate import Estimate, check_disk, estimate
from avatargan.export.folder import ExportFolder
from avatargan.export.plan import ExportPlan, SheetOptions
from avatargan.export.runner import Exporter

__all__ = [
    "Estimate",
    "ExportFolder",
    "ExportPlan",
    "Exporter",
    "SheetOptions",
    "check_disk",
    "create_plan",
    "create_studio",
    "estimate",
]
