"""`python -m tests.bad_input [--quick] [ROOM …]`: prints every bad call without one clear error; exit status 1 if any.

With --quick each function is met inside jit and vmap with its first array alone.
"""

import collections
import os
import sys
import tempfile

import jax

jax.config.update("jax_enable_x64", True)

from tests.bad_input import walk  # noqa: E402  (in double precision)


def main() -> int:
    """Print findings and their count."""
    os.chdir(tempfile.mkdtemp())
    count: collections.Counter[str] = collections.Counter()
    quick, rooms = "--quick" in sys.argv, tuple(word for word in sys.argv[1:] if word != "--quick")
    for call, judged in walk.findings(rooms or ("",), everything=not quick):
        count[judged.split(":")[0]] += 1
        if judged not in ("clear", "meant"):
            print(f"{call.key:70}  {judged}", flush=True)
    print(dict(count))
    return int(any(kind not in ("clear", "meant") for kind in count))


if __name__ == "__main__":
    sys.exit(main())
