"""What a role allows, in one line: what it may only read, and what it may change and how."""

import json

_READING = {"get", "list", "watch"}


def in_one_line(role: str) -> str:
    """From the role's JSON; resources that may only be read are named last."""
    rules = json.loads(role)["rules"]
    read: list[str] = []
    changed: list[str] = []
    for rule in rules:
        verbs = [verb for verb in rule["verbs"] if verb not in _READING]
        for resource in rule["resources"]:
            if verbs:
                changed.append(f"{'/'.join(verbs)} {resource}")
            else:
                read.append(resource)
    return f"{', '.join(changed)}; read {', '.join(read)}"
