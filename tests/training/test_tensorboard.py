"""Events for TensorBoard, where it is installed."""

import sys

import pytest

from avatargan.errors import MissingExtraError
from avatargan.training.distributed import Processes
from avatargan.training.observers import ProgressObserver
from avatargan.training.settings import TrainingSettings
from tests.training.test_train_command import TINY, in_this_process


@pytest.mark.slow
def test_a_run_writes_events_that_tensorboard_reads(tmp_path, faces, cache):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is missing"
    )
    out = tmp_path / "run"
    settings = [*TINY[:-1], "on", "--resolution", 16, "--images", 32, "--log-every", 16]
    code, _, errors = in_this_process([faces, "--out", out, *settings], cache)
    assert code == 0, errors
    events = accumulator.EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("critic_loss")] == [16, 32]
    assert events.Images("samples")


def test_without_it_only_asking_for_it_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    ProgressObserver(TrainingSettings(tensorboard="auto"), Processes(), quiet=True)
    with pytest.raises(MissingExtraError, match="pip install tensorboard"):
        ProgressObserver(TrainingSettings(tensorboard="on"), Processes(), quiet=True)
