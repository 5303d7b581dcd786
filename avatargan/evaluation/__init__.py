"""Honest metrics of a generator: named features, sample counts, seeds."""

from avatargan.evaluation.evaluation import Evaluation
from avatargan.evaluation.features import load_inception
from avatargan.evaluation.lpips import load_lpips
from avatargan.evaluation.metrics import METRICS
from avatargan.evaluation.options import EvaluationOptions
from avatargan.evaluation.page import evaluation_page
from avatargan.evaluation.results import Findings
from avatargan.evaluation.runner import run_evaluation
from avatargan.evaluation.work import estimate_work

__all__ = [
    "METRICS",
    "Evaluation",
    "EvaluationOptions",
    "Findings",
    "estimate_work",
    "evaluation_page",
    "load_inception",
    "load_lpips",
    "run_evaluation",
]
