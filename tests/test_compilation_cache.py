"""Compiled programs on disk: what keeps them, what switches that off, and what goes wrong with files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipd_theory import compilation_cache

PROGRAM = """
import os, sys
from ipd_theory import compilation_cache
folder = compilation_cache.use()
import jax
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event.endswith("cache_hits")))
print(folder, float(jax.jit(lambda x: x * 2.0 + 1.0)(3.0)), sum(hits))
"""
LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # what is written is cut off, as on a full disk
"""


def started(code: str = PROGRAM, **variables: str) -> "subprocess.Popen[str]":
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XDG_", "IPD_"))}
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, env=own | variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(code: str = PROGRAM, **variables: str) -> list[str]:
    """What a process prints, having written nothing on standard error."""
    with started(code, **variables) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return out.split()


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*-cache"))


def test_what_is_compiled_once_is_read_by_the_next_process(tmp_path: Path):
    where = {"XDG_CACHE_HOME": str(tmp_path)}
    folder, result, hits = run(**where)
    assert Path(folder).parent == tmp_path / "ipd-theory" / "compiled"
    assert (result, hits) == ("7.0", "0")
    kept = {path: path.read_bytes() for path in entries(tmp_path)}
    assert kept
    assert {path.parent for path in kept} == {Path(folder)}
    assert run(**where)[1:] == ["7.0", str(len(kept))]

    for path in kept:  # as by a process that was killed
        path.write_bytes(path.read_bytes()[:50])
    assert run(**where)[1] == "7.0"
    assert [len(path.read_bytes()) for path in kept] == [len(whole) for whole in kept.values()]


def test_a_full_disk_keeps_nothing_from_working(tmp_path: Path):
    where = {"IPD_THEORY_CACHE": str(tmp_path)}
    assert run(LIMITED + PROGRAM, **where)[1:] == ["7.0", "0"]
    assert {path.stat().st_size for path in entries(tmp_path)} == {100}
    assert run(**where)[1] == "7.0"
    assert run(**where)[1:] == ["7.0", str(len(entries(tmp_path)))]


def test_processes_that_start_at_once_do_not_disturb_each_other(tmp_path: Path):
    together = [started(IPD_THEORY_CACHE=str(tmp_path)) for _ in range(3)]
    ended = [process.communicate(timeout=60) for process in together]
    assert [(out.split()[1], err) for out, err in ended] == [("7.0", "")] * 3


def test_a_command_keeps_its_programs_and_tells_nobody(tmp_path: Path):
    command = "from ipd_theory import cli; cli.main(['returns', 'TFT', 'ALLD', '--json'])"
    switched_off = run(command, XDG_CACHE_HOME=str(tmp_path), IPD_THEORY_CACHE="off")
    assert not entries(tmp_path)
    assert run(command, XDG_CACHE_HOME=str(tmp_path)) == switched_off
    assert entries(tmp_path)


IN_THE_WAY = "a file"


@pytest.mark.parametrize(
    "variables",
    [
        {"IPD_THEORY_CACHE": "off"},
        {"IPD_THEORY_CACHE": "OFF "},
        {"IPD_THEORY_CACHE": IN_THE_WAY},
        {"XDG_CACHE_HOME": IN_THE_WAY},
        {"HOME": IN_THE_WAY},
    ],
)
def test_nothing_is_kept_where_nothing_can_or_shall_be(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / IN_THE_WAY).touch()
    for name in ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME", "IPD_THEORY_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compilation_cache, "_folder_of_jax", lambda: "")
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value) if value == IN_THE_WAY else value)
    assert compilation_cache.use() is None
    assert [path.name for path in tmp_path.iterdir()] == [IN_THE_WAY]


def test_whoever_told_jax_of_a_folder_keeps_it(tmp_path: Path):
    assert run(JAX_COMPILATION_CACHE_DIR=str(tmp_path))[0] == str(tmp_path)


def test_what_was_not_read_for_longest_goes_first_and_nothing_that_is_not_ours(tmp_path: Path):
    folder = tmp_path / "0123456789ab"
    folder.mkdir()
    for age in range(10):
        path = folder / f"jit_f-{age:064x}-cache"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1e9 - age, 1e9 - age))
    others = [folder / "notes-cache", tmp_path / f"jit_f-{0:064x}-cache"]
    for path in others:
        path.write_bytes(b"x" * 1000)
    compilation_cache._keep_within(tmp_path, 1000)
    assert len(list(folder.iterdir())) == 11
    compilation_cache._keep_within(tmp_path, 999)
    assert {path.name for path in folder.iterdir()} == {
        "notes-cache",
        *(f"jit_f-{age:064x}-cache" for age in range(4)),
    }
    assert all(path.exists() for path in others)


def test_importing_changes_nothing_of_jax():
    code = "import jax; before = dict(jax.config.values); import ipd_theory as ipd; ipd.expected_returns; ipd.learning"
    run(code + "; assert dict(jax.config.values) == before; assert not jax.config.jax_compilation_cache_dir")


@pytest.mark.parametrize("arguments", [{"folder": 3}, {"max_bytes": 1.5}, {"max_bytes": -1}, {"max_bytes": True}])
def test_what_is_no_folder_or_size_is_named(arguments: dict[str, object]):
    with pytest.raises((TypeError, ValueError), match=f"{next(iter(arguments))} must be (a path|a whole|0 or more)"):
        compilation_cache.use(**arguments)
