"""Talks to the daemon of a lab over its Unix socket."""

from typing import Any

import aiohttp

from e2e.lab.state import LabError, LabRecord, lab_directory, read_record, socket_path


def running_lab(name: str) -> LabRecord:
    """The record of a lab that is up. Raises LabError."""
    record = read_record(lab_directory(name))
    if record is None or not record.alive:
        raise LabError(f"lab {name} is not up: start it with `lab up{_name_option(name)}`")
    if record.phase != "ready":
        raise LabError(f"lab {name} is not ready yet: {record.phase}")
    return record


async def ask(name: str, verb: str, **arguments: Any) -> Any:
    """Has the lab do something and returns its answer. Raises LabError with the daemon's message."""
    running_lab(name)
    connector = aiohttp.UnixConnector(str(socket_path(lab_directory(name))))
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(f"http://lab/{verb}", json=arguments) as response,
        ):
            answer = await response.json()
    except aiohttp.ClientError as error:
        raise LabError(f"lab {name} does not answer ({error}): end it with `lab stop{_name_option(name)}`") from None
    if "error" in answer:
        raise LabError(answer["error"])
    return answer.get("result")


def _name_option(name: str) -> str:
    return "" if name == "default" else f" --name {name}"
