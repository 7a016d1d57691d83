"""`ipd-theory explore`."""

import contextlib
import functools
import re
from pathlib import Path
from typing import Annotated

from ipd_theory.commands.console import messages, print_json, results
from ipd_theory.commands.options import Within

PAGE = Path(__file__).parents[1] / "explorer" / "index.html"
HERE = "127.0.0.1"  # other machines see nothing of it


def explore(
    scene: str = "",
    serve: bool = False,
    port: Annotated[int, Within(0, 65535)] = 8000,
    print_path: bool = False,
    json: bool = False,
) -> None:
    """Open the explorer in the browser: strategies, learners and populations, solved exactly as you drag.

    It is a folder of static pages, which needs neither a server nor the network.

    Args:
        scene: What to open: 1/pair, 1/learner, 1/map, 1/population, 1/batch or 1/sandbox, and settings, as the page's
            button "Copy link" writes them behind its address: '1/pair?p=TFT&q=GRIM', say.
        serve: Serve the pages to this machine until interrupted, instead of opening the file; nothing is opened.
        port: Where to serve; 0 for any that is free.
        print_path: Print where the page lies, and open nothing.
        json: Print where the page lies and its address as JSON, and open nothing.
    """
    fragment = _fragment(scene)
    if serve:
        _serve(fragment, port)
        return
    address = PAGE.as_uri() + fragment
    if json:
        print_json({"path": PAGE, "address": address})
    elif print_path:
        results.print(str(PAGE), soft_wrap=True)
    else:
        _open(address)


def _fragment(scene: str) -> str:
    """Return what stands behind the page's address.

    Raises:
        ValueError: naming the option, for what is no address of a scene.
    """
    if scene and not re.fullmatch(r"#?\d+/\w+(\?[^\s#]*)?", scene):
        raise ValueError(f"--scene {scene!r} must be a version, a scene and its settings, e.g. 1/pair?p=TFT&q=GRIM")
    return f"#{scene.removeprefix('#')}" if scene else ""


def _open(address: str) -> None:
    import webbrowser

    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    if opened:
        messages.print("opened in the browser:")
    else:
        messages.print("no browser is found here; open this address in one:")
    results.print(address, soft_wrap=True)


def _serve(fragment: str, port: int) -> None:
    import http.server

    class Pages(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing of each file."""

    try:
        server = http.server.ThreadingHTTPServer((HERE, port), functools.partial(Pages, directory=str(PAGE.parent)))
    except OSError as error:
        raise ValueError(f"--port {port} cannot be served: {error.strerror}") from None
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"http://{HERE}:{server.server_port}/{fragment}", flush=True)
        messages.print("serving until interrupted (Ctrl-C)")
        server.serve_forever()
