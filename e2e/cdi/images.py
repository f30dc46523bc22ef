"""The images of the lab's world: what an importer finds behind an address."""

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True)
class Image:
    """A disk image that somebody offers."""

    gib: int = 5
    """Size of the disk in it."""
    seconds: float = 0.4
    """How long its import takes."""
    hangs: bool = False
    """It begins to come, and comes no further before this is changed."""


WORLD = {
    "https://images.example/debian-12.qcow2": Image(),
    "https://images.example/large.qcow2": Image(gib=50),
    "https://images.example/stuck.qcow2": Image(hangs=True),
    "docker://registry.example/debian:12": Image(),
}
"""By address; whatever else somebody asks images.example for is not there, and other hosts do not exist."""


def found(images: dict[str, Image], kind: str, url: str) -> tuple[Image | None, str]:
    """The image behind an address; None with the importer's last words where there is none."""
    image = images.get(url)
    if image is not None:
        return image, ""
    host = url.partition("://")[2].partition("/")[0]
    if kind == "http" and host == "images.example":
        trouble = "expected status code 200, got 404. Status: 404 Not Found"
    elif kind == "http":
        trouble = f'Head "{url}": dial tcp: lookup {host}: no such host'
    else:
        trouble = f"Could not create image reference: pinging container registry {host}: no such host"
    return None, f"Unable to connect to {kind} data source: {trouble}"


def too_small(image: Image, size: int) -> str:
    """The importer's last words where the image does not fit."""
    virtual = f"virtual image size {image.gib * GIB} is larger than the reported available storage {size}"
    return f"Unable to process data: {virtual}. A larger PVC is required"
