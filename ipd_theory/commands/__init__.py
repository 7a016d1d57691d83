"""The subcommands of `ipd-theory`: they read arguments, call the package and print; no mathematics.

Each is the function of its module's name. The first line of its docstring stands in `ipd-theory --help`, the whole in
its own. The module loads when the command is chosen, and imports what is heavy inside the function, so that `--help`
stays quick. A command raises `ValueError`, before any work, for what its options may not be; `commands.endings` says
how every ending is told. A module whose command keeps something when it is interrupted says how to go on in
`WHEN_INTERRUPTED`, or raises `KeyboardInterrupt` with words of its own.
"""
