"""`avance init NODE-A NODE-B`: two nodes become a pair, with one optional question."""

from __future__ import annotations

import argparse
import json
import re
import sys
from argparse import Namespace
from typing import Any

import yaml

from avance.cli import options
from avance.cli.exits import MEANING, OK, USAGE, Failure
from avance.cli.looking import answered

Object = dict[str, Any]

LABEL = "avance.dev/pair"
QUESTION = "Addresses of the management controllers of {0} and {1}, such as https://10.0.0.11 https://10.0.0.12\n\
(empty: say it later; until then a crash waits for a person): "


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "init",
        help="label two nodes and write their pair",
        description="Write the AvancePair of two nodes. It is printed, for `kubectl apply -f -`, with what else is to\n"
        "be typed; with --apply it is made, and the nodes are labelled. The one question, for the addresses of\n"
        "their management controllers, is asked on a terminal only, and may be left unanswered.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("nodes", nargs=2, metavar="NODE", help="the two nodes")
    parser.add_argument("--pair", default="site", metavar="NAME", help="name of the pair (default: site)")
    parser.add_argument(
        "--bmc", nargs=2, metavar="URL", help="addresses of their management controllers, in the same order"
    )
    parser.add_argument("--apply", action="store_true", help="do it, instead of printing it")
    options.cluster(parser)
    options.output(parser)
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    if chosen.nodes[0] == chosen.nodes[1]:
        raise Failure("a pair is two nodes, not one twice", USAGE)
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", chosen.pair):
        raise Failure(f"'{chosen.pair}' cannot name a pair: small letters, digits and '-', at most 40", USAGE)
    asked = chosen.bmc is None and sys.stdin.isatty()
    bmcs = _answer(chosen.nodes) if asked else list(chosen.bmc or ())
    wrong = next((each for each in bmcs if not re.fullmatch(r"https://[^/\s@?#]+/?", each)), "")
    if wrong:
        raise Failure(f"'{wrong}' is no address: write https://<host> or https://<host>:<port>", USAGE)
    pair = manifest(chosen.pair, chosen.nodes, bmcs)
    if chosen.apply:
        answered(_apply(chosen, pair))
    else:
        sys.stderr.write(f"# first: kubectl label node {' '.join(chosen.nodes)} {LABEL}={chosen.pair}\n")
    for entry in pair["spec"].get("fencing", {}).get("nodes", ()):
        sys.stderr.write(
            f"# credentials: kubectl create secret generic {entry['credentialsSecretName']} -n {chosen.namespace} "
            "--from-literal=username=<user> --from-literal=password=<password>\n"
        )
    if chosen.output == "json":
        sys.stdout.write(f"{json.dumps(pair)}\n")
    elif chosen.apply:
        sys.stdout.write(f"pair {chosen.pair} is {' and '.join(chosen.nodes)}: avance status --pair {chosen.pair}\n")
    else:
        sys.stdout.write(yaml.safe_dump(pair, sort_keys=False))
    return OK


def manifest(name: str, nodes: list[str], bmcs: list[str]) -> Object:
    """The AvancePair; everything that is not said has a default that serves."""
    fencing = [
        {"name": node, "address": bmc, "credentialsSecretName": f"bmc-{node}"}
        for node, bmc in zip(nodes, bmcs, strict=False)
    ]
    return {
        "apiVersion": "avance.dev/v1alpha1",
        "kind": "AvancePair",
        "metadata": {"name": name},
        "spec": {"nodeSelector": {LABEL: name}, **({"fencing": {"nodes": fencing}} if fencing else {})},
    }


async def _apply(chosen: Namespace, pair: Object) -> None:
    """The pair first, which may be refused; then its labels. Repeating it does no harm."""
    from avance.cli.requests import written
    from avance.kube.resources import AVANCE_PAIRS, NODES
    from avance.operator.glimpse import connected

    async with connected(chosen.kubeconfig, chosen.context) as kube:
        there = {node["metadata"]["name"]: node for node in (await kube.list(NODES)).items}
        for node in chosen.nodes:
            if node not in there:
                raise Failure(f"there is no node {node}; there are: {', '.join(sorted(there))}", USAGE)
            other = (there[node]["metadata"].get("labels") or {}).get(LABEL, chosen.pair)
            if other != chosen.pair:
                raise Failure(f"{node} belongs to pair {other}: take its label {LABEL} away first", USAGE)
        third = [n for n, obj in there.items() if (obj["metadata"].get("labels") or {}).get(LABEL) == chosen.pair]
        if set(third) - set(chosen.nodes):
            raise Failure(f"pair {chosen.pair} is {' and '.join(sorted(third))} already: choose another name", USAGE)
        await written(kube.apply(AVANCE_PAIRS, pair, field_manager="avance-cli"))
        for node in chosen.nodes:
            await written(kube.patch_merge(NODES, node, {"metadata": {"labels": {LABEL: chosen.pair}}}))


def _answer(nodes: list[str]) -> list[str]:
    """The one question; an empty answer is one."""
    sys.stderr.write(QUESTION.format(*nodes))
    sys.stderr.flush()
    words = sys.stdin.readline().split()
    if len(words) not in (0, 2):
        raise Failure(f"two addresses are needed, of {nodes[0]} and of {nodes[1]}, or none", USAGE)
    return words
