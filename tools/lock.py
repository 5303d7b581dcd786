"""Write or check requirements.lock: the version of every package that is installed.

    python tools/lock.py write
    python tools/lock.py check

pip takes the file as constraints. Build tags ("2.13.0+cpu") are left out, because they depend on
where torch came from; torch pins its own CUDA packages.
"""

import sys
from importlib.metadata import distributions
from pathlib import Path

LOCK = Path(__file__).parent.parent / "requirements.lock"
HEADER = "# Every package of a tested environment; made by 'make lock', used as pip constraints.\n"
OWN = {"avatargan", "pip", "setuptools", "wheel"}


def installed() -> dict[str, str]:
    """Return the version of each package of this environment, without our own and pip's."""
    versions = {
        distribution.metadata["Name"].lower().replace("_", "-"): distribution.version.split("+")[0]
        for distribution in distributions()
    }
    return {name: versions[name] for name in sorted(versions.keys() - OWN)}


def locked() -> dict[str, str]:
    """Return the version of each package in the lock."""
    lines = [line for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==", 1) for line in lines)


def differences() -> list[str]:
    """Return a line for each package that is not installed as locked.

    Packages that only some platforms need may be missing or extra: CUDA's, and those that torch
    brings for them.
    """
    have, want = installed(), locked()
    platform_specific = ("nvidia-", "cuda-", "triton")
    lines = [
        f"{name} {version} is installed and not locked"
        for name, version in have.items()
        if name not in want and not name.startswith(platform_specific)
    ]
    lines += [f"{name} {want[name]} is locked and not installed" for name in want.keys() - have]
    lines += [
        f"{name} {have[name]} is installed, {want[name]} is locked"
        for name in want.keys() & have
        if have[name] != want[name]
    ]
    return sorted(lines)


def main() -> int:
    """Run the command."""
    if sys.argv[1:] == ["write"]:
        LOCK.write_text(HEADER + "".join(f"{n}=={v}\n" for n, v in installed().items()))
        return 0
    if sys.argv[1:] == ["check"]:
        lines = differences()
        print("\n".join(lines) or f"{LOCK.name}: {len(locked())} packages as locked")
        return 1 if lines else 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
