"""Batch export: folders of avatars with manifest, sprite sheets and a preview page.

>>> plan = create_plan(pipeline, count=500, wanted={"hair": "any"}, size=256)
>>> exporter = Exporter(plan, ExportFolder("characters"), create_studio(plan, pipeline))
>>> for file in exporter.run():
...     print(file)
"""

from avatargan.export.archive import write_zip
from avatargan.export.create import create_finisher, create_plan, create_studio
from avatargan.export.estimate import Estimate, check_disk, estimate
from avatargan.export.folder import ExportFolder
from avatargan.export.plan import ExportPlan, SheetOptions
from avatargan.export.runner import Exporter
from avatargan.export.studio import LocalStudio

__all__ = [
    "Estimate",
    "ExportFolder",
    "ExportPlan",
    "Exporter",
    "LocalStudio",
    "SheetOptions",
    "check_disk",
    "create_finisher",
    "create_plan",
    "create_studio",
    "estimate",
    "write_zip",
]
