"""Measuring memory, apart from other helpers because importing those takes memory and time."""

from pathlib import Path


def peak_memory() -> int:
    """Peak resident memory of this process in bytes.

    From the kernel's account of the process image: ``getrusage`` would give a process the peak of
    the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
