"""The command line, also as `kubectl avance`: one module a command, each with `add(commands)` and what it runs.

It has no rules of its own. What is read is read as the operator reads it, what is decided is decided by the core, and
what a person asks for becomes an AvanceAction or an edit of the pair.
"""

from avance.cli.command_line import main as main

__all__ = ["main"]
