"""Speed and memory, measured by commands that anyone can run: ``python -m benchmarks``."""
