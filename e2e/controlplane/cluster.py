"""One Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler on loopback.

RBAC and Node authorization, real certificates, service account tokens and the aggregation layer are on; etcd does not
sync to disk. Aggregated APIs reach a local server through an ExternalName Service `localhost` with the server's port
(which needs aggregator routing off, its default). There is no network and no kubelet: nodes come from elsewhere.
"""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp

from e2e.controlplane.client import Api, ApiError
from e2e.controlplane.kubeconfig import service_account_token, write_kubeconfig
from e2e.controlplane.pki import CertificateAuthority, KeyPair, signing_key
from e2e.controlplane.processes import Processes, ServerCrashed, ServerProcess, free_port, wait_until
from e2e.controlplane.programs import Binaries

_SERVICE_CIDR = "10.96.0.0/16"


class ControlPlane:
    """Start and stop it, and get credentials for it.

    Attributes once started: `url`, `kubeconfig` (file of a cluster administrator), `api` (a client as administrator),
    `ca` (issues certificates that the API server accepts), `front_proxy_ca` (verifies the API server as a proxy),
    `audit_log` (every request of the user `audited`, one JSON object a line).
    """

    def __init__(
        self, state_dir: Path, binaries: Binaries, processes: Processes | None = None, audited: str = ""
    ) -> None:
        self.state_dir = state_dir
        self.binaries = binaries
        self.processes = processes or Processes(state_dir)
        self.url = ""
        self.audit_log = state_dir / "audit.jsonl"
        self._audited = audited
        self._pki = state_dir / "pki"
        self._kubeconfigs = state_dir / "kubeconfigs"
        self._kubeconfigs.mkdir(parents=True, exist_ok=True)
        self.kubeconfig = state_dir / "kubeconfig"
        self.ca = CertificateAuthority(self._pki, "ca")
        self.front_proxy_ca = CertificateAuthority(self._pki, "front-proxy-ca")
        self._serving = self.ca.issue_serving("kube-apiserver", ("kubernetes.default.svc", "10.96.0.1"))
        self._servers: list[ServerProcess] = []
        self._api: Api | None = None

    @property
    def api(self) -> Api:
        """A client as cluster administrator."""
        assert self._api is not None, "the control plane is not started"
        return self._api

    async def start(self) -> None:
        """Ready in a few seconds. Raises ServerCrashed. A port that was taken meanwhile costs one more try."""
        try:
            await self._start()
        except ServerCrashed as error:
            await self.stop()
            if "address already in use" not in str(error):
                raise
            await self._start()

    async def stop(self) -> None:
        """Ends the four servers; what they stored stays in the state directory."""
        if self._api is not None:
            await self._api.close()
            self._api = None
        for server in reversed(self._servers):
            await server.stop()
        self._servers.clear()

    def require_running(self) -> None:
        """Raises ServerCrashed, with the tail of its log, if a server has ended."""
        for server in self._servers:
            server.require_running()

    def kubeconfig_for(self, user: str, groups: Iterable[str] = ()) -> Path:
        """A kubeconfig with a client certificate of that user and groups (24 h and more). Once started only."""
        assert self.url, "the control plane is not started"
        pair = self.ca.issue(user, tuple(groups))
        return self._write_kubeconfig(self._kubeconfigs / pair.key.stem, user, _certificate(pair))

    async def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a token of an existing ServiceAccount, valid for 24 h. Raises ApiError."""
        credentials = await service_account_token(self.api, namespace, name)
        return self._write_kubeconfig(self._kubeconfigs / f"{namespace}.{name}", name, credentials)

    async def client_for(self, user: str, groups: Iterable[str] = ()) -> Api:
        """A client as that user; the caller closes it."""
        return await Api.from_kubeconfig(self.kubeconfig_for(user, groups))

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl as administrator and returns what it printed. Raises RuntimeError with its error text."""
        process = await asyncio.create_subprocess_exec(
            self.binaries.kubectl, "--kubeconfig", self.kubeconfig, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate(stdin.encode() if stdin else None)
        if process.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {errors.decode().strip()}")
        return output.decode()

    async def _start(self) -> None:
        etcd_url = await self._start_etcd()
        await self._start_apiserver(etcd_url)
        await asyncio.gather(self._start_controller_manager(), self._start_scheduler())
        await wait_until(self._has_default_service_account, 60, "ServiceAccount default/default")

    async def _start_etcd(self) -> str:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        etcd = await self._run(
            "etcd", self.binaries.etcd,
            f"--data-dir={self.state_dir / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        )  # fmt: skip
        await etcd.wait_ready(lambda: _answers(f"{client}/health"))
        return client

    async def _start_apiserver(self, etcd_url: str) -> None:
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        private, public = signing_key(self._pki, "service-account")
        proxy = self.front_proxy_ca.issue("front-proxy-client")
        kubelet = self.ca.issue("kube-apiserver-kubelet-client", ("system:masters",))
        apiserver = await self._run(
            "kube-apiserver", self.binaries.kube_apiserver,
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={port}",
            "--endpoint-reconciler-type=none",  # a loopback address can't be an endpoint of Service kubernetes
            f"--etcd-servers={etcd_url}", f"--service-cluster-ip-range={_SERVICE_CIDR}", "--profiling=false",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
            f"--client-ca-file={self.ca.certificate}",
            f"--tls-cert-file={self._serving.certificate}", f"--tls-private-key-file={self._serving.key}",
            f"--kubelet-client-certificate={kubelet.certificate}", f"--kubelet-client-key={kubelet.key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={public}", f"--service-account-signing-key-file={private}",
            f"--requestheader-client-ca-file={self.front_proxy_ca.certificate}",
            "--requestheader-allowed-names=front-proxy-client", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={proxy.certificate}", f"--proxy-client-key-file={proxy.key}",
            *self._audit_options(),
        )  # fmt: skip
        administrator = self.ca.issue("lab-admin", ("system:masters",))
        self._write_kubeconfig(self.kubeconfig, "lab-admin", _certificate(administrator))
        self._api = await Api.from_kubeconfig(self.kubeconfig)
        await apiserver.wait_ready(self._api_is_ready)

    def _audit_options(self) -> list[str]:
        if not self._audited:
            return []
        policy = self.state_dir / "audit-policy.json"
        rules = [{"level": "Metadata", "users": [self._audited], "omitStages": ["RequestReceived"]}, {"level": "None"}]
        policy.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}))
        return [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}", "--audit-log-mode=blocking"]

    async def _start_controller_manager(self) -> None:
        await self._run_component(
            "kube-controller-manager",
            self.binaries.kube_controller_manager,
            f"--service-account-private-key-file={self._pki / 'service-account.key'}",
            f"--root-ca-file={self.ca.certificate}",
            "--use-service-account-credentials=true",
            # Each of its controllers makes itself a ServiceAccount and a token at the start: 5 s at the default rate.
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        )

    async def _start_scheduler(self) -> None:
        await self._run_component("kube-scheduler", self.binaries.kube_scheduler)

    async def _run_component(self, name: str, program: Path, *arguments: str) -> None:
        """Runs one of the two API clients of the control plane under its well-known user."""
        port = free_port()
        kubeconfig = self.kubeconfig_for(f"system:{name}")
        server = await self._run(
            name, program, *arguments, "--bind-address=127.0.0.1", f"--secure-port={port}", "--leader-elect=false",
            f"--kubeconfig={kubeconfig}", f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}", "--profiling=false",
        )  # fmt: skip
        await server.wait_ready(lambda: _answers(f"https://127.0.0.1:{port}/healthz"))

    async def _run(self, name: str, *command: object) -> ServerProcess:
        server = await self.processes.start(name, *command)
        self._servers.append(server)
        return server

    async def _api_is_ready(self) -> bool:
        try:
            return bool(await self.api.get("/readyz") == "ok")
        except ApiError:
            return False

    async def _has_default_service_account(self) -> bool:
        self.require_running()
        try:
            await self.api.get("/api/v1/namespaces/default/serviceaccounts/default")
        except ApiError:
            return False
        return True

    def _write_kubeconfig(self, path: Path, user: str, credentials: dict[str, Any]) -> Path:
        cluster = {"server": self.url, "certificate-authority": str(self.ca.certificate)}
        return write_kubeconfig(path, cluster, user, credentials)


def _certificate(pair: KeyPair) -> dict[str, str]:
    return {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}


async def _answers(url: str) -> bool:
    """Whether a health endpoint says 200; its certificate is self-signed by the server and says nothing to us."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url, ssl=False) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
