"""Every test runs in float64 with strict dtype promotion; float32 is asked for where it is meant."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

# What has been compiled once is read from a file by other workers, by commands that tests start, and by the next run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import hypothesis
import jax
import numpy as np
import pytest

# Most of a test's time is compilation, and what is compiled runs but once: half of it is saved by optimizing less. Slow
# tests, which compute, are compiled as users compile. A later compiler may not know these flags, and stops if so.
LIGHT = (
    "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Compilation makes the first example slow; the same examples every time make failures repeatable.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Compile lightly where slow tests are left out, before anything is compiled, and seldom look for garbage."""
    gc.set_threshold(200_000, 20, 20)
    if config.option.markexpr.startswith(("not slow", "browser")) and jax.__version_info__ < (0, 11):
        os.environ.setdefault("XLA_FLAGS", LIGHT)


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Forget compiled programs well before the kernel's 65,530 memory maps a process, at which loading one crashes."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 30_000:
        jax.clear_caches()


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(20241)
