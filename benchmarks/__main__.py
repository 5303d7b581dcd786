"""Run the benchmarks: all of them, or those that are named.

python -m benchmarks
python -m benchmarks drawing server
"""

import importlib
import pkgutil
import sys

import benchmarks


def main() -> int:
    """Run the command."""
    there = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name[0] != "_"]
    wanted = sys.argv[1:] or there
    for name in wanted:
        if name not in there:
            print(f"error: there is no benchmark '{name}' (benchmarks: {', '.join(there)})")
            return 2
    for name in wanted:
        print(f"\n== {name}", flush=True)
        sys.argv = [name]  # each has options of its own, for when it runs alone
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
