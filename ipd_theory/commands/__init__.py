"""The subcommands of `ipd-theory`: they read arguments, call the package and print; no mathematics."""
