"""Networks that users bring as TorchScript files: FID's Inception, LPIPS.

Such a file holds a program, and loading it runs that program. So only files that a user names are
loaded, none is shipped, and none is fetched.
"""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from avatargan.errors import WeightsError
from avatargan.files import is_special


@dataclass(frozen=True)
class TorchScriptNetwork:
    """A network out of a TorchScript file.

    Attributes:
        path: the file.
        sha256: identifies it.
        module: the network, in evaluation mode, on ``device``.
        device: where it runs.
    """

    path: Path
    sha256: str
    module: torch.jit.ScriptModule
    device: torch.device

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return what the network makes of its inputs, on the CPU.

        Raises:
            WeightsError: it refuses them, or gives something else than numbers.
        """
        try:
            result = self.module(*(each.to(self.device) for each in inputs))
        except (RuntimeError, TypeError, ValueError) as error:
            shapes = " and ".join(str(list(each.shape)) for each in inputs)
            reason = str(error).strip().splitlines()[-1]
            raise WeightsError(
                f"{self.path}: this network does not take pictures {shapes} ({reason})"
            ) from error
        if not isinstance(result, Tensor) or not result.is_floating_point():
            raise WeightsError(f"{self.path}: this network does not give numbers, one tensor")
        return result.float().cpu()


def load_torchscript(path: str | Path, device: str = "cpu") -> TorchScriptNetwork:
    """Load a TorchScript file, which runs the program in it: name only files that you trust.

    Args:
        path: the file.
        device: where it is to run: cpu, cuda or mps.

    Raises:
        WeightsError: the file is missing, or is no TorchScript.
    """
    path = Path(path)
    if not path.exists():
        raise WeightsError(f"{path}: there is no such TorchScript file")
    if path.is_dir() or is_special(path):
        raise WeightsError(f"{path}: not a TorchScript file")
    try:
        content_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        with warnings.catch_warnings():
            # torch would rather have exported programs; what the field hands on is TorchScript.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path}: not a TorchScript file ({reason})") from error
    return TorchScriptNetwork(path, content_sha256, module.eval(), torch.device(device))
