"""Every ending is one line and a status: interruptions, closed pipes, full disks, plain ASCII, text with brackets."""

import json
import os
import signal
import subprocess
import sys
import time
import types

import pytest

from ipd_theory import cli
from ipd_theory.commands import console, endings, plain_text
from ipd_theory.rl.interruption import RAISED, Terminated

TABLE = (
    "from ipd_theory.commands import console, endings; "
    "endings.ended(lambda: console.print_table('ab', ['\\u03b31'] * 9))"
)


def run(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, timeout=60, **options)


@pytest.mark.parametrize(
    ("number", "line", "words"),
    [
        (signal.SIGINT, "strategy GRIM --error 0.01", "nothing was kept"),
        (signal.SIGTERM, "tournament --rules naive lola sos coala --seeds 64 --steps 1000", "nothing was kept"),
        (
            signal.SIGINT,
            "figures 3A 3B",
            "the figures that are finished are kept, and the same command goes on from there",
        ),
        (signal.SIGTERM, "phase --cpu-devices 1", "what was finished is kept, and the same command goes on from there"),
    ],
)
def test_an_interrupt_is_told_and_leaves_with_130_or_143(number: int, line: str, words: str, tmp_path):
    loaded = f"import jax, tyro, ipd_theory.commands.{line.split()[0]}; from ipd_theory import cli"
    code = f"{loaded}; print('ready', flush=True); cli.main({line.split()})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said in (f"interrupted; {words}\n", "interrupted\n")  # the latter where it was still importing


@pytest.mark.parametrize(("stop", "status"), [(KeyboardInterrupt, "130"), (Terminated, "143")])
@pytest.mark.parametrize(
    ("kept", "words"),
    [({}, "interrupted; nothing was kept"), ({"WHEN_INTERRUPTED": "a part is kept"}, "a part is kept")],
)
def test_a_command_says_what_an_interrupt_leaves(
    stop: type[KeyboardInterrupt],
    status: str,
    kept: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def command() -> None:
        """Stop."""
        raise stop

    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(cli, "_loaded", lambda name: (types.SimpleNamespace(**kept), command))
    monkeypatch.setattr(os, "_exit", leave)
    usual = {number: signal.getsignal(number) for number in RAISED}
    with pytest.raises(SystemExit, match=status):
        cli.main(["returns"])
    assert {number: signal.getsignal(number) for number in RAISED} == usual
    assert capsys.readouterr().err == words + "\n"


def test_an_interrupt_during_an_import_raises_nothing_in_it(tmp_path):
    """A compiled module that imports others would crash on the exception, or tell of it in a traceback."""
    (tmp_path / "loading.py").write_text(
        "import signal, time\ntry: signal.raise_signal(signal.SIGINT); time.sleep(20)\nexcept BaseException: pass"
    )
    ended = run(
        "from ipd_theory.commands import endings; endings.ended(lambda: __import__('loading'))",
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")


def test_an_interrupt_that_a_callback_would_swallow_is_not_lost():
    ended = run(
        "import gc, signal, time; from ipd_theory.commands import endings\n"
        "def once(*_): gc.callbacks.remove(once); signal.raise_signal(signal.SIGINT)\n"
        "gc.callbacks.append(once)\n"
        "endings.ended(lambda: (gc.collect(), time.sleep(20)))"
    )
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("code", ["from ipd_theory import cli; cli.main(['--help'])", TABLE])
def test_a_closed_pipe_ends_quietly_and_a_full_disk_in_one_line(code: str):
    reader, writer = os.pipe()
    os.close(reader)
    closed = run(code, stdout=writer)
    os.close(writer)
    assert (closed.returncode, closed.stderr) == (141, "")
    with open("/dev/full", "w") as full:
        ended = run(code, stdout=full)
    assert (ended.returncode, ended.stderr) == (1, "error: the disk is full: No space left on device\n")


@pytest.mark.parametrize(
    "settings", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
def test_where_only_ascii_is_known_text_is_written_in_it(settings: dict[str, str]):
    code = "from ipd_theory.commands import plain_text; plain_text.allow(); " + TABLE
    ended = run(code, stdout=subprocess.PIPE, env={**os.environ, **settings})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "gamma" in ended.stdout
    assert ended.stdout.isascii()


@pytest.mark.parametrize(
    ("text", "ascii"), [("γ", "gamma"), ("Δ", "Delta"), ("∂J₁/∂p²", "dJ1/dp2"), ("é ±", "e +-"), ("語", "?")]
)
def test_characters_have_a_spelling_in_ascii(text: str, ascii: str):
    assert "".join(c if c.isascii() else plain_text.ascii_for(c) for c in text) == ascii


@pytest.mark.parametrize(
    ("error", "words", "status"),
    [
        (ValueError("T [/red] :smile:\nsecond"), "T [/red] :smile: second", 2),
        (OverflowError("int too big"), "a number is too large: int too big", 2),
        (FileNotFoundError(2, "No such file or directory", "a/b"), "a/b: No such file or directory", 2),
        (OSError(28, "No space left on device", "a/b"), "the disk is full: a/b: No space left on device", 1),
        (OSError(122, "Disk quota exceeded"), "a limit on disk space is reached: Disk quota exceeded", 1),
        (ValueError("d/8: File too large [27]"), "a limit on disk space is reached: d/8: File too large [27]", 1),
        (MemoryError("4 TiB"), "out of memory: 4 TiB", 1),
        (FloatingPointError("the loss is NaN"), "the loss is NaN", 1),
    ],
)
def test_errors_are_one_line_and_a_status(
    error: Exception, words: str, status: int, capsys: pytest.CaptureFixture[str]
):
    def work() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        endings.ended(work)
    assert end.value.code == status
    assert capsys.readouterr().err == f"error: {words}\n"


def test_a_check_inside_a_compiled_function_is_told_in_its_own_words(capsys: pytest.CaptureFixture[str]):
    import jax

    from ipd_theory._checks import in_range

    with pytest.raises(SystemExit) as end:
        endings.ended(lambda: jax.jit(lambda x: in_range("discount", x, 0.0, 1.0) * 2)(1.5).block_until_ready())
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: discount holds 1.5; every entry must lie in [0, 1]\n"


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), pytest.raises(SystemExit):
        endings.ended(lambda: print(1 // 0))


def test_a_device_that_is_not_there_is_one_line():
    ended = run(
        "from ipd_theory import cli; cli.main(['returns', 'TFT', 'TFT'])", env={**os.environ, "JAX_PLATFORMS": "cuda"}
    )
    assert ended.returncode in (0, 2)  # 0 on a machine that has one
    assert ended.stderr == "" or ended.stderr.startswith("error: JAX_PLATFORMS=cuda names no device")
    assert ended.stderr.count("\n") == (ended.returncode == 2)


def test_json_has_no_numbers_that_json_does_not_know(capsys: pytest.CaptureFixture[str]):
    import numpy as np

    console.print_json({"a": np.array([1.0, np.nan]), "b": [float("inf"), 3, True, None, "γ"], 3: (np.float32(2),)})
    read = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert read == {"a": [1.0, None], "b": [None, 3, True, None, "γ"], "3": [2.0]}
