"""Which pair is meant: by name, by a node or VM of it, or because there is no other."""

import pytest

from avance.kube.resources import AVANCE_PAIRS, NODES
from avance.operator.glimpse import NoSuchPair, choose
from tests.operator.objects import World, metadata


def two_pairs() -> World:
    world = World()
    world.quiet_pair()
    world.vm("web")
    world.put(AVANCE_PAIRS, {"metadata": metadata("shop"), "spec": {"nodeSelector": {"avance.dev/pair": "shop"}}})
    for name in ("node-c", "node-d"):
        world.put(NODES, {"metadata": metadata(name, labels={"avance.dev/pair": "shop"}), "spec": {}, "status": {}})
    return world


@pytest.mark.parametrize(
    ("name", "about", "chosen"),
    [("shop", "", "shop"), ("", "node-c", "shop"), ("", "web", "site"), ("", "shop/web", "site")],
)
def test_a_name_or_what_belongs_to_it_says_which(name: str, about: str, chosen: str) -> None:
    assert choose(two_pairs().store, name, about)["metadata"]["name"] == chosen


@pytest.mark.parametrize(
    ("name", "about", "complaint"),
    [
        ("", "", "say which pair is meant by --pair; there are: shop, site"),
        ("shap", "", "there is no AvancePair shap; there are: shop, site"),
        ("", "node-x", "no pair has a node or VM node-x; the pairs are: shop, site"),
    ],
)
def test_otherwise_it_says_which_there_are(name: str, about: str, complaint: str) -> None:
    with pytest.raises(NoSuchPair, match=complaint):
        choose(two_pairs().store, name, about)


def test_the_only_one_needs_no_name_and_none_is_told_as_such() -> None:
    world = World()
    with pytest.raises(NoSuchPair, match="avance init"):
        choose(world.store, "", "")
    world.quiet_pair()
    assert choose(world.store, "", "")["metadata"]["name"] == "site"
