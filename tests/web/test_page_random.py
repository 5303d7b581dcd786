"""The page's random numbers are NumPy's, bit for bit."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from avatargan.latents import LARGEST_SEED

RANDOM = Path(__file__).parent.parent.parent / "avatargan" / "web" / "page" / "random.js"
SCRIPT = """
import {{ Philox, SeedSequence }} from "{module}";
import fs from "node:fs";

const seeds = JSON.parse(fs.readFileSync(0)).map(BigInt);
const numbers = new Float64Array(seeds.length * 128);
seeds.forEach((seed, row) => {{
  const generator = new Philox(seed);
  for (let i = 0; i < 128; i++) numbers[row * 128 + i] = generator.normal();
}});
const words = seeds.map((seed) => [
  ...new SeedSequence([seed, 3, 2n ** 40n]).generate64(3).map(String),
  ...[2, 7, 12, 1000].map((end) => new Philox(new SeedSequence([seed, end])).integer(end)),
]);
fs.writeFileSync(process.argv[1], Buffer.from(numbers.buffer));
console.log(JSON.stringify(words));
"""


def check(seeds: list[int], folder: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    script = SCRIPT.format(module=RANDOM.as_uri())
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script, str(folder / "numbers")],
        input=json.dumps([str(seed) for seed in seeds]),
        capture_output=True,
        text=True,
        check=True,
    )
    given = np.fromfile(folder / "numbers").reshape(-1, 128)
    for row, seed in zip(given, seeds, strict=True):
        expected = np.random.Generator(np.random.Philox(seed)).standard_normal(128)
        assert np.array_equal(row, expected), seed
    for row, seed in zip(json.loads(done.stdout), seeds, strict=True):
        sequence = np.random.SeedSequence([seed, 3, 2**40])
        assert row[:3] == [str(word) for word in sequence.generate_state(3, np.uint64)]
        for value, end in zip(row[3:], (2, 7, 12, 1000), strict=True):
            generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, end])))
            assert value == generator.integers(end)


def random_seeds(count: int) -> list[int]:
    special = [0, 1, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**53 + 1, LARGEST_SEED - 1, LARGEST_SEED]
    drawn = np.random.default_rng(0).integers(0, LARGEST_SEED, count, endpoint=True)
    return special + [int(seed) for seed in drawn]


def test_numbers_are_those_of_numpy(tmp_path: Path) -> None:
    check(random_seeds(2000), tmp_path)


@pytest.mark.slow
def test_numbers_are_those_of_numpy_for_a_hundred_thousand_seeds(tmp_path: Path) -> None:
    check(random_seeds(100_000), tmp_path)
