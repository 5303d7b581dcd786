"""``report.html``: the curves and grids of a run on one page that loads nothing from elsewhere."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from avatargan.files import write_atomically
from avatargan.training.curves import Curve, chart
from avatargan.training.run_folder import RunFolder
from avatargan.training.settings import TrainingSettings

#: Grids in the page; of more, some are left out evenly.
MOST_GRIDS = 24
WEBP_QUALITY = 88

_TEMPLATE = Path(__file__).with_name("report.html")
#: Titles of charts, and the metrics in each by the name in its legend.
_CHARTS: Sequence[tuple[str, Mapping[str, str]]] = (
    ("Adversarial loss", {"critic": "critic_loss", "generator": "generator_loss"}),
    ("Critic's score", {"real": "score_real", "fake": "score_fake"}),
    ("Gradient penalty", {"penalty": "penalty"}),
    ("Loss of the classes", {"real": "class_loss_real", "fake": "class_loss_fake"}),
)


def write_report(folder: RunFolder) -> Path:
    """Write the report of a run from what is in its folder; return its path.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(folder.report, report_page(folder))
    return folder.report


def report_page(folder: RunFolder) -> str:
    """Return the page."""
    config, metrics = folder.read_config(), folder.read_metrics()
    settings = config["settings"]
    last = metrics[-1] if metrics else {}
    seen = last.get("images_seen", 0)
    facts = {
        "images seen": f"{seen:,}",
        "of the run": f"{min(seen / settings['images'], 1):.0%}",
        "images a second": _middle([entry["images_per_second"] for entry in metrics]),
        **{
            f"{name} as asked, by the critic": f"{last[f'accuracy_fake_{name}']:.0%}"
            for name in config["attributes"]
            if f"accuracy_fake_{name}" in last
        },
    }
    network = f"{settings['network']} at {TrainingSettings.from_values(settings).picture_size} px"
    values = {
        "title": f"Training of {network}",
        "subtitle": f"Begun {config.get('started', '')} with avatargan "
        f"{config.get('versions', {}).get('avatargan', '')} on {config.get('device', '')}",
        "psi": f"{settings['sample_psi']:g}",
        "facts": "".join(
            f'<div class="fact"><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>'
            for name, value in facts.items()
        ),
        "curves": "".join(_charts(metrics, config["attributes"])),
        "data": _rows(_data(config)),
        "initial": _initial(config.get("initial", {})),
        "settings": _rows({name: value for name, value in settings.items() if value is not None}),
        "samples": json.dumps(_grids(folder)),
    }
    escaped = {
        name: html.escape(value) if name in ("title", "subtitle") else value
        for name, value in values.items()
    }
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(escaped)


def _charts(metrics: Sequence[Mapping[str, float]], attributes: Mapping[str, Any]) -> list[str]:
    charts = [
        chart(title, [Curve(name, _points(metrics, key)) for name, key in curves.items()])
        for title, curves in _CHARTS
    ]
    for name in attributes:
        curves = [
            Curve(part, _points(metrics, f"accuracy_{part}_{name}")) for part in ("real", "fake")
        ]
        charts.append(chart(f"Critic's accuracy, {name}", curves))
    charts.append(chart("Learning rate", [Curve("rate", _points(metrics, "learning_rate"))]))
    speed = _points(metrics, "images_per_second")
    charts.append(chart("Images a second", [Curve("speed", speed)]))
    return charts


def _points(metrics: Sequence[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    return [(entry["images_seen"], entry[name]) for entry in metrics if name in entry]


def _data(config: Mapping[str, Any]) -> dict[str, str]:
    rows = {}
    for source in config["sources"]:
        style = f", style {source['style']}" if source["style"] else ""
        weight = f", weight {source['weight']:g}" if len(config["sources"]) > 1 else ""
        rows[Path(source["path"]).name] = (
            f"{source['trained_on']:,} of {source['pictures']:,} pictures{style}{weight}; "
            f"SHA-256 {source['sha256'][:16]}..."
        )
    rows |= {name: ", ".join(choices) for name, choices in config["attributes"].items()}
    return rows


def _initial(transfers: Mapping[str, Any]) -> str:
    """Return what a fine-tuning took over from its weights."""
    if not transfers:
        return ""
    rows = {}
    for part, transfer in transfers.items():
        rows[part] = f"{len(transfer['copied'])} tensors taken over, {len(transfer['new'])} new"
    transfer = transfers.get("generator") or next(iter(transfers.values()))
    for name, kept in transfer["shared_choices"].items():
        words = [f"{len(kept)} choices kept"]
        for title, key in (("new", "new_choices"), ("dropped", "dropped_choices")):
            if transfer[key][name]:
                words.append(f"{title}: {', '.join(transfer[key][name])}")
        rows[name] = "; ".join(words)
    for title, key in (("new", "new_attributes"), ("dropped", "dropped_attributes")):
        if transfer[key]:
            rows[f"{title} attributes"] = ", ".join(transfer[key])
    return f'<h2>Started from</h2><div class="table"><table>{_rows(rows)}</table></div>'


def _rows(values: Mapping[str, Any]) -> str:
    return "".join(
        f"<tr><td>{html.escape(str(name))}</td><td>{html.escape(str(value))}</td></tr>"
        for name, value in values.items()
    )


def _grids(folder: RunFolder) -> list[tuple[int, str]]:
    """Return grids as data URLs with the images seen, the oldest first."""
    paths = folder.list_samples()
    if len(paths) > MOST_GRIDS:
        step = (len(paths) - 1) / (MOST_GRIDS - 1)
        paths = [paths[round(index * step)] for index in range(MOST_GRIDS)]
    return [(int(path.stem), _data_url(path)) for path in paths]


def _data_url(path: Path) -> str:
    buffer = BytesIO()
    with Image.open(path) as grid:
        grid.save(buffer, "WEBP", quality=WEBP_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _middle(values: Sequence[float]) -> str:
    return f"{sorted(values)[len(values) // 2]:,.0f}" if values else "-"
