"""One look at the cluster for a command; what cannot be read ends the command in words."""

from __future__ import annotations

import asyncio
import logging
from argparse import Namespace
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from avance.cli.exits import UNREACHABLE, USAGE, Failure

if TYPE_CHECKING:
    from avance.operator.glimpse import Glimpse


T = TypeVar("T")


def look(chosen: Namespace, about: str = "") -> Glimpse:
    """The pair that is meant, as `--pair`, or a node or VM of it, names it. Raises Failure."""
    from avance.operator.glimpse import glimpse  # what a mere --help need not load

    return answered(glimpse(chosen.kubeconfig, chosen.pair, chosen.namespace, about, context=chosen.context))


def answered(asking: Coroutine[Any, Any, T]) -> T:
    """What the cluster answers; raises Failure if it does not, or if there is nothing of that name."""
    from avance.operator.glimpse import NoSuchPair, Unreachable

    logging.getLogger("avance").setLevel(logging.ERROR)  # a kind that is not installed is told by the command itself
    try:
        return asyncio.run(asking)
    except NoSuchPair as error:
        raise Failure(error, USAGE) from error
    except Unreachable as error:
        raise Failure(error, UNREACHABLE) from error
