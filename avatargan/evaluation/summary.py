"""An evaluation in one table: a row per figure."""

import math

from avatargan.evaluation.results import Comparison, Findings

#: In these features the Fréchet and the kernel distance have names of their own.
_INCEPTION = "inception"


def summary_rows(findings: Findings) -> list[tuple[str, str, str, str, str]]:
    """Return figure, measure, value, what to compare it with, and which way is better."""
    rows: list[tuple[str, str, str, str, str]] = []
    for measure, comparison in findings.comparisons.items():
        real = findings.among_real.get(measure, Comparison(0, 0))
        is_inception = measure.name == _INCEPTION
        if comparison.frechet is not None:
            name = "FID" if is_inception else "Fréchet distance"
            value = f"{comparison.frechet:.3f}"
            rows.append((name, measure.name, value, _of_real(real.frechet, 3), "lower"))
        if comparison.kernel is not None:
            name = "KID" if is_inception else "kernel distance"
            value = f"{comparison.kernel.value:.5f} ± {comparison.kernel.standard_error:.5f}"
            own = real.kernel.value if real.kernel else None
            rows.append((name, measure.name, value, _of_real(own, 5), "lower"))
        if comparison.overlap is not None:
            for name in ("precision", "recall"):
                value = f"{getattr(comparison.overlap, name):.3f}"
                own = getattr(real.overlap, name) if real.overlap else None
                rows.append((name, measure.name, value, _of_real(own, 3), "higher"))
    for name, accuracy in findings.accuracy.items():
        if not accuracy.samples.overall.count:
            continue
        low, high = accuracy.samples.overall.interval
        value = f"{percent(accuracy.samples.overall.value)} ({100 * low:.1f} to {100 * high:.1f})"
        real_too = accuracy.real
        beside = f"{percent(real_too.overall.value)} on real pictures" if real_too else ""
        rows.append((f"{name} accuracy", findings.judge.name, value, beside, "higher"))
    if findings.leakage is not None:
        for changed, per_attribute in findings.leakage.drift.items():
            for name, drift in per_attribute.items():
                if name != changed:
                    title = f"leakage of {changed} into {name}"
                    rows.append((title, findings.judge.name, f"{drift:.4f}", "", "lower"))
    for measure, moved in findings.identity.items():
        other = f"{moved.other_characters:.4f} between characters"
        for name, mean in moved.by_attribute.items():
            title = f"identity drift with {name}"
            rows.append((title, measure.name, f"{mean:.4f}", other, "lower"))
    for measure, lengths in findings.path_lengths.items():
        for length in lengths.values():
            title = f"path length in {length.space}"
            rows.append((title, measure.name, f"{length.value:.4g}", "", "lower"))
    for measure, found in findings.memorisation.items():
        value = percent(found.nearer_than_unseen)
        row = ("nearer to training than unseen", measure.name, value, "50 % by chance", "no higher")
        rows.append(row)
    return rows


def _of_real(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f} real pictures"


def percent(value: float) -> str:
    """Return a share in words; nothing of NaN."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else ""
