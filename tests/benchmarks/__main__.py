"""Print the benchmarks as a table."""

import importlib
import math
import pkgutil
import platform
from pathlib import Path
from typing import Annotated

import jax
import tyro
from rich.progress import track
from rich.table import Table

from ipd_theory.commands.console import messages, print_json, results
from tests import benchmarks


def main(names: Annotated[tuple[str, ...], tyro.conf.Positional] = (), json: bool = False) -> None:
    """Time ipd_theory against its peers in one run.

    Args:
        names: Which benchmark modules, e.g. returns; all of them if none is named.
        json: Print JSON instead of a table.
    """
    # On two cores, jax's own batched solve can wait for itself for ever when calls are dispatched asynchronously.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    others = {"__main__", "limits", "growth"}
    known = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in others]
    for name in names:
        if name not in known:
            raise SystemExit(f"benchmark {name!r} is unknown; there are {', '.join(known)}")
    rows = []
    for name in track(names or known, "benchmarks", console=messages):
        rows += importlib.import_module(f"tests.benchmarks.{name}").run()
    if json:
        print_json({"machine": machine(), "rows": [row._asdict() for row in rows]})
        return
    table = Table("what", "ours (s)", "peer (s)", "ratio", "promised", "of the limit", title=machine())
    for row in rows:
        share = "" if math.isnan(row.limit) else f"{row.limit / row.ours:.0%}"
        table.add_row(row.what, f"{row.ours:.3g}", f"{row.peer:.3g}", f"{row.ratio:.1f}", f"{row.target:g}", share)
    results.print(table)


def machine() -> str:
    """Return the device, the processor and jax's version."""
    return f"{jax.devices()[0].device_kind} ({_processor()}), jax {jax.__version__}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} cores, {models[0]}" if models else platform.processor()


if __name__ == "__main__":
    tyro.cli(main)
