"""Logs are text, not JSON, and are asked for by container."""

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from avance.kube.client import Kube
from avance.kube.errors import Invalid

ASKED: list[tuple[str, dict[str, str]]] = []


async def answer(request: web.Request) -> web.Response:
    ASKED.append((request.path, dict(request.query)))
    if request.query.get("previous"):
        body = {"kind": "Status", "reason": "BadRequest", "message": "previous terminated container not found"}
        return web.json_response(body, status=400)
    return web.Response(text='{"level": "INFO"}\nno JSON \u2713\n')


async def test_logs_are_text_and_a_missing_life_is_told() -> None:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    kube = Kube(ApiClient(configuration))
    try:
        assert await kube.logs("avance-1", "avance-system", "operator") == '{"level": "INFO"}\nno JSON \u2713\n'
        with pytest.raises(Invalid, match="previous terminated container not found"):
            await kube.logs("avance-1", "avance-system", "operator", previous=True)
    finally:
        await kube.close()
        await runner.cleanup()
    assert ASKED == [
        ("/api/v1/namespaces/avance-system/pods/avance-1/log", {"container": "operator", "tailLines": "10000"}),
        (
            "/api/v1/namespaces/avance-system/pods/avance-1/log",
            {"container": "operator", "tailLines": "10000", "previous": "true"},
        ),
    ]
