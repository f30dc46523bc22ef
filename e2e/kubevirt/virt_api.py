"""virt-api as one program: the webhooks and the subresource API, each on a server of its own."""

from e2e.controlplane.cluster import ControlPlane
from e2e.kubevirt.admission import Admission
from e2e.kubevirt.configuration import Configuration
from e2e.kubevirt.eviction import EvictionInterceptor
from e2e.kubevirt.guests import Guests
from e2e.kubevirt.installation import SERVING_NAMES
from e2e.kubevirt.lifecycle import Lifecycle
from e2e.kubevirt.servers import HttpsServer
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.subresources import Nodes, Subresources


class VirtApi:
    """The ports (`webhook_port`, `subresource_port`) are known before the start."""

    def __init__(
        self, control_plane: ControlPlane, client: Client, stores: Stores, configuration: Configuration, guests: Guests,
        nodes: Nodes,
    ) -> None:  # fmt: skip
        serving = control_plane.ca.issue_serving("virt-api", SERVING_NAMES)
        self._webhook_server = HttpsServer(serving)
        self._subresource_server = HttpsServer(serving, client_ca=control_plane.front_proxy_ca.certificate)
        self.webhook_port = self._webhook_server.port
        self.subresource_port = self._subresource_server.port
        interceptor = EvictionInterceptor(client, stores, configuration)
        self._admission = Admission(stores, configuration, interceptor.review)
        self._subresources = Subresources(client, stores, guests, nodes, Lifecycle(client, stores))

    async def start(self) -> None:
        """Serves."""
        await self._webhook_server.start(self._admission.application())
        await self._subresource_server.start(self._subresources.application())

    async def stop(self) -> None:
        """Closes both servers."""
        await self._webhook_server.stop()
        await self._subresource_server.stop()

    def set_down(self, down: bool) -> None:
        """While down it answers nothing: what a webhook guards is refused, and the aggregated API is unavailable."""
        self._webhook_server.down = self._subresource_server.down = down
