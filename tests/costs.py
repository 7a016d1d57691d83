"""`python -m tests.costs [COMMAND …]`: the processor time and memory of each command at small settings, as Markdown.

Each runs in a process of its own: first with an empty cache of compiled programs, then again with what the first has
kept there. Times are the processor's, user and system together, and the memory is the most that the process held, as
the kernel counts them.
"""

import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

# Later commands read what earlier ones write: `evaluate` the run of `train`.
COMMANDS = (
    ("--help",),
    ("returns", "TFT", "WSLS"),
    ("returns", "2TFT", "GRIM-AUTOMATON", "--error", "0.01"),
    ("strategy", "extort(3)"),
    ("classify",),
    ("derive", "return", "--q", "TFT", "--discount", "1"),
    ("evolve", "TFT", "ALLC", "ALLD", "--process", "moran", "--error", "0.01"),
    ("tournament", "--strategies", "stewart-plotkin", "--game", "axelrod"),
    ("tournament", "--rules", "naive", "lola", "--seeds", "8", "--steps", "50"),
    ("bound", "--inner-episodes", "10", "--starts", "4"),
    ("phase", "--x", "p_naive:0:1:3", "--y", "learning_rate:1:100:3:log", "--seeds", "2", "--steps", "100"),
    ("verify",),
    ("train", "ipd-shaping-quick", "--iterations", "10", "--out", "run"),
    ("evaluate", "run"),
    ("figures", "3A"),
    ("explore", "--print-path"),
)


class Cost(NamedTuple):
    """Processor seconds, user and system, and the most memory held, in MiB."""

    seconds: float
    memory: float


def cost(arguments: tuple[str, ...], cache: Path, folder: Path) -> Cost:
    """Return what one command costs in a fresh process that works in `folder` and compiles into `cache`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    root = str(Path(__file__).parents[1])
    own |= {"IPD_THEORY_CACHE": str(cache), "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}
    with (folder / "said").open("w+") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "ipd_theory", *arguments], stdout=said, stderr=said, cwd=folder, env=own
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"ipd-theory {' '.join(arguments)}\n{said.read()}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def row(arguments: tuple[str, ...]) -> str:
    """Return a command's row of the table."""
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place) / "cache"
        twice = []
        for name in ("first", "again"):
            (folder := Path(place) / name).mkdir()
            if arguments[0] == "evaluate":
                cost(next(line for line in COMMANDS if line[0] == "train"), Path(place) / "cache of train", folder)
            twice.append(cost(arguments, cache, folder))
    first, again = twice
    words = " ".join(f'"{word}"' if "(" in word else word for word in arguments)
    return f"| `{words}` | {first.seconds:.1f} | {again.seconds:.1f} | {max(first.memory, again.memory):.0f} |"


def main() -> None:
    """Print the table, a row at a time, and what it was measured on."""
    print("| `ipd-theory …` | first, s | again, s | memory, MiB |\n|---|---:|---:|---:|", flush=True)
    for arguments in COMMANDS:
        if not sys.argv[1:] or arguments[0] in sys.argv[1:]:
            print(row(arguments), flush=True)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")] or [platform.processor()]
    named = ", ".join(f"{name} {version(name)}" for name in ("jax", "numpy"))
    print(f"\nOn {len(models)} cores ({models[0]}), Python {platform.python_version()}, {named}.")


if __name__ == "__main__":
    main()
