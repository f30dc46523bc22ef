"""The programs that a lab runs, and the Go packages that they are built from.

A fact table only: how programs are found or built is in `installed.py` and `build.py`.
"""

from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = (1, 36, 3)
OLDEST_KUBERNETES = (1, 34)

_VERSION = "k8s.io/component-base/version"
_KUBERNETES_STAMP = " ".join(
    (
        f"-X {_VERSION}.gitVersion=v{'.'.join(map(str, KUBERNETES_VERSION))}",
        f"-X {_VERSION}.gitMajor={KUBERNETES_VERSION[0]}",
        f"-X {_VERSION}.gitMinor={KUBERNETES_VERSION[1]}",
    )
)


@dataclass(frozen=True)
class Program:
    """One executable: its name, the wrapper module and Go package it is built from, and how it tells its version."""

    name: str
    module: str
    package: str
    version_arguments: tuple[str, ...] = ("--version",)
    oldest: tuple[int, ...] = ()
    stamp: str = ""

    @property
    def is_kubernetes(self) -> bool:
        """Whether it is one of Kubernetes' own programs, which must all be of one minor version."""
        return self.package.startswith("k8s.io/kubernetes/")


def _kubernetes(name: str, *version_arguments: str) -> Program:
    return Program(
        name,
        "kubernetes",
        f"k8s.io/kubernetes/cmd/{name}",
        version_arguments or ("--version",),
        OLDEST_KUBERNETES,
        _KUBERNETES_STAMP,
    )


PROGRAMS = (
    Program("etcd", "kubernetes", "go.etcd.io/etcd/server/v3", oldest=(3, 5)),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubectl", "version", "--client"),
    Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", oldest=(0, 7)),
    Program("helm", "helm", "helm.sh/helm/v4/cmd/helm", ("version", "--short"), (4, 1)),
)


@dataclass(frozen=True)
class Binaries:
    """Paths of the executables that a lab runs."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kubectl: Path
    kwok: Path
    helm: Path

    @classmethod
    def from_paths(cls, paths: dict[str, Path]) -> "Binaries":
        """From program names (`kube-apiserver`) to fields (`kube_apiserver`)."""
        return cls(**{name.replace("-", "_"): path for name, path in paths.items()})
