"""`avance report`: how available the VMs were, what their downtime cost, and how that compares."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from avance.cli import options
from avance.cli.availability import CLASSES, HOURS_A_YEAR, Availability, availability, by_cause
from avance.cli.exits import MEANING, OK, USAGE, Failure
from avance.cli.looking import look
from avance.cli.terminal import STRONG, Paint, length, paint, table
from avance.core.moments import day_and_clock
from avance.core.outage_phases import Part

DAY = 86400.0
THIS_PAIR = "this pair, as measured"


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "report",
        help="how available the VMs were this year, and what their downtime cost",
        description="Availability and downtime of each VM in this year, its latest outages, and what they cost.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cost-per-hour", type=cost, metavar="COST", help="what an hour without a VM costs you")
    options.pair(parser)
    options.cluster(parser)
    options.output(parser)
    parser.set_defaults(run=_run)


def cost(text: str) -> float:
    """An amount of money; argparse turns the error into a usage message."""
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e12:
        raise argparse.ArgumentTypeError(f"'{text}' is no cost: write a number of 0 or more, such as 1000 or 99.50")
    return amount


def _run(chosen: Namespace) -> int:
    seen = look(chosen)
    if not seen.vms:
        raise Failure(f"pair {seen.pair.metadata.name} has no VMs to report on", USAGE)
    found = [availability(key, vm, seen.seen_at, seen.view.actions) for key, vm in sorted(seen.vms.items())]
    name = seen.pair.metadata.name
    if chosen.output == "json":
        sys.stdout.write(f"{json.dumps(as_json(name, found, seen.seen_at, chosen.cost_per_hour), indent=2)}\n")
    else:
        sys.stdout.writelines(
            f"{line}\n" for line in as_lines(name, found, seen.seen_at, chosen.cost_per_hour, paint())
        )
    return OK


def as_lines(
    pair: str, found: Sequence[Availability], now: float, cost_per_hour: float | None, paint: Paint
) -> Iterator[str]:
    """The account of each VM, its latest outages, and the comparison."""
    yield f"{paint(f'Pair {pair}', STRONG)}   this year until {day_and_clock(now)}"
    yield ""
    yield from table([_titles(cost_per_hour), *(_row(each, cost_per_hour) for each in found)])
    outages = sorted((outage.since.timestamp(), each.vm, outage) for each in found for outage in each.outages)
    if outages:
        yield ""
        yield "Latest outages:"
        rows = [
            (
                f"  {day_and_clock(since)}",
                vm,
                length((outage.until.timestamp() if outage.until else now) - since),
                outage.cause or "not known",
                "planned" if outage.planned else "lasts" if not outage.until else "",
            )
            for since, vm, outage in outages
        ]
        yield from table(rows)
        yield ""
        yield from _causes(found, now)
    yield ""
    yield from _comparison(found, cost_per_hour)


def _titles(cost_per_hour: float | None) -> tuple[str, ...]:
    return ("VM", "OBSERVED", "AVAILABLE", "UNPLANNED", "PLANNED", *(("COST",) if cost_per_hour is not None else ()))


def _row(each: Availability, cost_per_hour: float | None) -> tuple[str, ...]:
    figures = (length(each.observed), _percent(each.share), length(each.unplanned), length(each.planned))
    return (each.vm, *figures, *((_money(each.unplanned / 3600 * cost_per_hour),) if cost_per_hour is not None else ()))


def _causes(found: Sequence[Availability], now: float) -> Iterator[str]:
    """Where the time of the latest outages went; parts that nobody has on record are not shown."""
    causes = by_cause(found, now)
    known = [part for part in Part if any(part in cause.parts for cause in causes)]
    rows = [
        (
            f"{cause.name}, planned" if cause.planned else cause.name,
            str(cause.outages),
            length(cause.seconds),
            *(length(cause.parts[part]) if part in cause.parts else "" for part in known),
        )
        for cause in causes
    ]
    yield from table([("CAUSE", "OUTAGES", "DOWN", *(part.upper() for part in known)), *rows])


def _comparison(found: Sequence[Availability], cost_per_hour: float | None) -> Iterator[str]:
    """What a year brings: this pair by its worst VM so far, beside what other installations are held to reach."""
    worst = min(found, key=lambda each: each.share)
    tells = worst.observed >= DAY
    titles = ("A YEAR OF", "AVAILABLE", "DOWN", *(("COST",) if cost_per_hour is not None else ()))
    rows = [
        (
            name,
            _percent(share),
            length(hours * 3600),
            *((_money(hours * cost_per_hour),) if cost_per_hour is not None else ()),
        )
        for name, share, hours in _compared(found)
    ]
    yield from table([titles, *rows])
    yield ""
    if tells:
        yield f"The pair's year carries on what its worst VM has had in {length(worst.observed)}: see docs/report.md."
    else:
        yield f"Of this pair {length(worst.observed)} are known: less than a day tells nothing of a year."


def _compared(found: Sequence[Availability]) -> list[tuple[str, float, float]]:
    """Name, share and hours down in a year; the least available first. A pair of less than a day is left out."""
    worst = min(found, key=lambda each: each.share)
    measured = [(THIS_PAIR, worst.share, (1.0 - worst.share) * HOURS_A_YEAR)] if worst.observed >= DAY else []
    references = [(each.name, each.share, each.hours_a_year) for each in CLASSES]
    return sorted([*measured, *references], key=lambda row: row[1])


def as_json(pair: str, found: Sequence[Availability], now: float, cost_per_hour: float | None) -> dict[str, Any]:
    """The same for programs; times are seconds, shares 0 to 1."""
    return {
        "pair": pair,
        "seenAt": day_and_clock(now),
        "costPerHour": cost_per_hour,
        "vms": [
            {
                "vm": each.vm,
                "observedSeconds": round(each.observed),
                "available": each.share,
                "unplannedSeconds": round(each.unplanned),
                "plannedSeconds": round(each.planned),
                "cost": None if cost_per_hour is None else round(each.unplanned / 3600 * cost_per_hour, 2),
                "outages": [
                    outage.model_dump(by_alias=True, exclude_none=True, mode="json") for outage in each.outages
                ],
            }
            for each in found
        ],
        "causes": [
            {
                "cause": cause.name,
                "planned": cause.planned,
                "outages": cause.outages,
                "seconds": round(cause.seconds),
                "parts": {str(part): round(seconds, 1) for part, seconds in cause.parts.items()},
            }
            for cause in by_cause(found, now)
        ],
        "comparison": [
            {
                "name": name,
                "available": share,
                "downSecondsAYear": round(hours * 3600),
                "costAYear": None if cost_per_hour is None else round(hours * cost_per_hour, 2),
            }
            for name, share, hours in _compared(found)
        ],
    }


def _percent(share: float) -> str:
    """As many nines as there are; never rounded up to more than there was."""
    return f"{int(share * 1e7) / 1e5:.5f} %" if share < 1 else "100 %"


def _money(amount: float) -> str:
    return f"{amount:,.2f}"
