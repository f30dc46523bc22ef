"""`python -m e2e.controlplane build` builds the programs of the control plane, or finds them, and says where."""

import asyncio
import sys

from e2e.controlplane.build import ensure_binaries
from e2e.controlplane.toolchain import BuildError


def main(arguments: list[str]) -> int:
    """Exit status 0 when every program is there, 1 when one could not be built, 2 for other arguments."""
    if arguments != ["build"]:
        print("usage: python -m e2e.controlplane build", file=sys.stderr)
        return 2
    try:
        binaries = asyncio.run(ensure_binaries())
    except BuildError as error:
        print(f"the control plane could not be built: {error}", file=sys.stderr)
        return 1
    print(f"the programs of the control plane are in {binaries.kube_apiserver.parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
