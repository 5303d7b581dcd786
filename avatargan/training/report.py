"""``report.html``: the curves and grids of a run on one page that loads nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from avatargan.errors import MissingExtraError
from avatargan.reports import Report, line_chart
from avatargan.training.quality import best_of
from avatargan.training.run_folder import RunFolder
from avatargan.training.settings import TrainingSettings

#: Grids in the page beside the last one; of more, some are left out evenly.
EARLIER_GRIDS = 5
#: Points of a curve are means over this part of the run: single steps hide the course in noise.
SMOOTHED_OVER = 0.02
#: Captions of the charts, and what is in each: metrics by the name in the legend.
_CHARTS: Mapping[str, Mapping[str, str]] = {
    "adversarial loss": {"critic": "critic_loss", "generator": "generator_loss"},
    "score of the critic": {"real": "score_real", "fake": "score_fake"},
    "gradient penalty": {"penalty": "penalty"},
    "loss of the classes": {"real": "class_loss_real", "fake": "class_loss_fake"},
}
_AFTERWARDS: Mapping[str, Mapping[str, str]] = {
    "overfitting of the critic": {"seen on held-out pictures": "overfitting"},
    "strength of the augmentation": {"strength": "augmentation"},
    "learning rate": {"rate": "learning_rate"},
    "images a second": {"speed": "images_per_second"},
}

Metrics = Sequence[Mapping[str, float]]


def write_report(folder: RunFolder) -> Path:
    """Write the report of a run from what is in its folder; return its path.

    Raises:
        OutputError: it cannot be written.
    """
    report_of(folder).write(folder.report)
    return folder.report


def report_of(folder: RunFolder) -> Report:
    """Return the report of a run. Without matplotlib it has no curves, and says so."""
    config, metrics = folder.read_config(), folder.read_metrics()
    settings = TrainingSettings.from_values(config["settings"])
    report = Report(
        f"Training of {settings.network} at {settings.picture_size} px",
        f"Begun {config.get('started', '')} with avatargan "
        f"{config.get('versions', {}).get('avatargan', '')} on {config.get('device', '')}",
    )
    if metrics:
        report.table(("", ""), list(_facts(settings, metrics, config["attributes"]).items()))
    _add_samples(report, folder, settings.sample_psi)
    _add_quality(report, folder)
    report.heading("Curves")
    try:
        _add_curves(report, metrics, config["attributes"])
    except MissingExtraError as error:
        report.text(f"Left out: {error}.")
    report.heading("Data")
    report.table(("", ""), list(_data(config).items()))
    if config.get("initial"):
        report.heading("Started from")
        report.table(("", ""), list(_initial(config["initial"]).items()))
    report.heading("Settings")
    given = {name: value for name, value in settings.to_json().items() if value is not None}
    report.table(("setting", "value"), [(name, str(value)) for name, value in given.items()])
    return report


def _facts(
    settings: TrainingSettings, metrics: Metrics, attributes: Mapping[str, Any]
) -> dict[str, str]:
    last = metrics[-1]
    speeds = sorted(entry["images_per_second"] for entry in metrics)
    facts = {
        "images seen": f"{last['images_seen']:,} of {settings.images:,}",
        "speed": f"{speeds[len(speeds) // 2]:,.0f} images a second (median)",
    }
    for name in attributes:
        if f"accuracy_fake_{name}" in last:
            share = _smoothed(metrics, f"accuracy_fake_{name}")[1][-1]
            facts[f"{name} as asked"] = f"{share:.1%}, in the eyes of the critic"
    return facts


def _add_quality(report: Report, folder: RunFolder) -> None:
    """Show what the averages were worth on held-out pictures."""
    entries = folder.read_quality()
    best = best_of(entries)
    if best is None:
        return
    report.heading("Held-out pictures")
    report.text(
        "Kernel distance in the tagger's features between held-out pictures and as many drawn with "
        "their labels, and how often the tagger sees what was asked for; pairs were never seen "
        f"together in training. The best, of {best['images_seen']:,} images, is in "
        f"{folder.best.name}. To judge weights use avatargan evaluate."
    )
    names = [name for name in entries[-1] if name.startswith("as_asked_")]
    rows = []
    for entry in entries:
        mark = " (best)" if entry is best else ""
        shares = [f"{entry[name]:.1%}" if name in entry else "" for name in names]
        rows.append((f"{entry['images_seen']:,}{mark}", f"{entry['kid']:.4g}", *shares))
    report.table(("images seen", "KID", *(name.removeprefix("as_asked_") for name in names)), rows)


def _add_samples(report: Report, folder: RunFolder, psi: float) -> None:
    paths = folder.list_samples()
    if not paths:
        return
    report.heading("Samples")
    report.text(
        f"The averaged generator, always with the same seeds and labels, psi {psi:g}; first what "
        "it draws now, then how it came there."
    )
    for path in (paths[-1], *_spread(paths[:-1], EARLIER_GRIDS)):
        with Image.open(path) as grid:
            report.picture(grid, f"after {int(path.stem):,} images")


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return some of the paths at even distances, the first and the last among them."""
    if len(paths) <= count:
        return list(paths)
    step = (len(paths) - 1) / (count - 1)
    return [paths[round(index * step)] for index in range(count)]


def _add_curves(report: Report, metrics: Metrics, attributes: Mapping[str, Any]) -> None:
    accuracies = {
        f"accuracy of the critic, {name}": {
            part: f"accuracy_{part}_{name}" for part in ("real", "fake")
        }
        for name in attributes
    }
    for caption, curves in {**_CHARTS, **accuracies, **_AFTERWARDS}.items():
        series = {name: _smoothed(metrics, metric) for name, metric in curves.items()}
        series = {name: points for name, points in series.items() if points[0]}
        if series:
            chart = line_chart(series, x_label="images seen", y_label=caption)
            report.chart(chart, caption)


def _smoothed(metrics: Metrics, name: str) -> tuple[list[float], list[float]]:
    """Return images seen, and means of a metric over the lines around each."""
    points = [(entry["images_seen"], entry[name]) for entry in metrics if name in entry]
    reach = round(SMOOTHED_OVER * len(points) / 2)
    means = []
    for index in range(len(points)):
        around = points[max(index - reach, 0) : index + reach + 1]
        means.append(sum(value for _, value in around) / len(around))
    return [seen for seen, _ in points], means


def _data(config: Mapping[str, Any]) -> dict[str, str]:
    rows = {}
    for source in config["sources"]:
        style = f", style {source['style']}" if source["style"] else ""
        weight = f", weight {source['weight']:g}" if len(config["sources"]) > 1 else ""
        rows[Path(source["path"]).name] = (
            f"{source['trained_on']:,} of {source['pictures']:,} pictures{style}{weight}; "
            f"SHA-256 {source['sha256'][:16]}..."
        )
    return rows | {name: ", ".join(choices) for name, choices in config["attributes"].items()}


def _initial(transfers: Mapping[str, Any]) -> dict[str, str]:
    """Return what a fine-tuning took over from its weights."""
    rows = {
        part: f"{len(transfer['copied'])} tensors taken over, {len(transfer['new'])} new"
        for part, transfer in transfers.items()
    }
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
    return rows
