"""What a lab puts together: chart, BMC Secrets, KubeVirt stand-in and operators."""

import base64

import pytest

from e2e.controlplane import Api, ApiError
from e2e.hardware import PAIR_NODES
from e2e.lab import Lab, LabError
from e2e.lab.install import NAMESPACE, SERVICE_ACCOUNT


async def test_each_bmc_has_its_secret(lab: Lab) -> None:
    for node in PAIR_NODES:
        secret = await lab.control_plane.api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/bmc-{node}")
        content = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        bmc = lab.hardware.bmcs[node]
        assert content == {
            "username": bmc.username,
            "password": bmc.password,
            "ca.crt": lab.control_plane.ca.certificate.read_text(),
        }


async def test_the_operators_account_has_the_charts_rights_and_no_more(lab: Lab) -> None:
    kubeconfig = await lab.control_plane.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
    async with await Api.from_kubeconfig(kubeconfig) as operator:
        await operator.get("/apis/avance.dev/v1alpha1/avancepairs")
        with pytest.raises(ApiError, match='cannot list resource "secrets"'):
            await operator.get("/api/v1/secrets")


async def test_no_guest_runs_in_a_fresh_lab(lab: Lab) -> None:
    assert (await lab.ledger())["violations"] == []
    with pytest.raises(ValueError, match="VM default/nobody has no running guest"):
        await lab.guest("crash", "default/nobody")


async def test_operators_are_started_killed_and_stopped_one_by_one(lab: Lab) -> None:
    for number in [number for number, operator in lab.operators.items() if operator.pid is not None]:
        await lab.operator("stop", number)  # left by another module
    await lab.operator("start", 1)
    await lab.operator("start", 2)
    with pytest.raises(LabError, match="operator 1 is already running"):
        await lab.operator("start", 1)
    await lab.operator("kill", 1)
    assert lab.operators[1].pid is None
    assert lab.operators[2].pid is not None
    await lab.operator("stop", 2)
    with pytest.raises(LabError, match="operator 2 is not running"):
        await lab.operator("stop", 2)
