"""How one node is powered off and on: natively over Redfish, or by any program of the fence-agents family."""

from typing import Annotated

from pydantic import Field

from avance.api.base import ApiModel, Rule
from avance.api.meta import NodeName, ObjectName

FORBIDDEN_PARAMETERS = (
    "action", "option", "method", "nodename", "password", "passwd", "password_script", "passwd_script",
    "verbose", "verbose_level", "quiet", "debug", "debug_file", "help", "version", "delay",
)  # fmt: skip
"""What the operator says itself, what belongs into the Secret, and what would write passwords somewhere."""

_UUID = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"


class FenceNode(ApiModel):
    """How one node is powered off and on: through its management controller (BMC)."""

    rules = (
        Rule(
            "self.agent != 'redfish' || has(self.address)",
            "say where the BMC is: address: https://<host>",
        ),
        Rule(
            "self.agent != 'redfish' || (!has(self.parameters) && !has(self.systemUUID))",
            "parameters and systemUUID are for fence_* agents: redfish asks the BMC itself",
        ),
        Rule(
            "self.agent == 'redfish' || (has(self.parameters) && has(self.systemUUID))",
            "a fence_* agent needs parameters (ip and whatever else the program wants) and systemUUID, by which you "
            "confirm that they lead to this very machine: copy it from status.nodes[].systemUUID of the pair",
        ),
        Rule(
            "self.agent == 'redfish' || (!has(self.address) && !has(self.systemPath))",
            "address and systemPath are for the agent redfish: write them as parameters of the program",
        ),
    )

    name: NodeName
    """Name of the node."""
    agent: Annotated[
        str,
        Field(max_length=64),
        Rule(
            "self == 'redfish' || self.matches('^fence_[a-z0-9_]+$')",
            "write redfish, or the name of a program of the fence-agents, for example fence_ipmilan",
        ),
    ] = "redfish"
    """What speaks to the management controller: redfish (built in), or a program of the fence-agents such as \
fence_ipmilan, which has to be in the operator's image."""
    address: (
        Annotated[
            str,
            Field(min_length=1, max_length=253),
            Rule(
                "self.startsWith('https://')",
                "write https://<host> or https://<host>:<port>: passwords are never sent over http",
            ),
            Rule(
                "!self.startsWith('https://') || (isURL(self) && url(self).getHostname() != '')",
                "this is no address: write https://<host> or https://<host>:<port>",
            ),
            Rule(
                "!isURL(self) || (url(self).getEscapedPath() in ['', '/'] && !self.matches('[?#]'))",
                "leave the path out of the address and write it to systemPath",
            ),
            Rule(
                "!self.contains('@')",
                "leave user and password out of the address: they belong in the Secret of credentialsSecretName",
            ),
        ]
        | None
    ) = None
    """Address of the management controller, for the agent redfish: https://<host> or https://<host>:<port>."""
    system_path: (
        Annotated[
            str,
            Field(max_length=253),
            Rule(
                "self.matches('^/redfish/v1/Systems/[^/?#]+/?$')",
                "write the path of one system, for example /redfish/v1/Systems/1",
            ),
        ]
        | None
    ) = None
    """Path of the node's system, for example /redfish/v1/Systems/1; needed when the controller governs several."""
    parameters: (
        Annotated[
            dict[str, Annotated[str, Field(max_length=253, pattern="^[^\\r\\n]*$")]],
            Field(max_length=32),
            Rule("self.size() > 0", "say at least where the management controller is, for example ip: 10.0.0.7"),
            Rule(
                "self.all(key, key.matches('^[a-z][a-z0-9_-]{0,63}$'))",
                "write parameters as the program's metadata names them: small letters, digits, '_' and '-'",
            ),
            Rule(
                f"self.all(key, !(key in {list(FORBIDDEN_PARAMETERS)}))",
                "passwords belong in the Secret of credentialsSecretName; action, method, delay and whatever logs are "
                "the operator's business",
            ),
        ]
        | None
    ) = None
    """Parameters of a fence_* program as its metadata names them, for example ip, ipport, lanplus, systems_uri, plug; \
all but the secret ones."""
    system_uuid: Annotated[str, Field(max_length=36, pattern=_UUID)] | None = None
    """For a fence_* agent, which cannot tell whose power it switches: the system UUID of the machine that you have \
seen go off by these parameters. If the node's own systemUUID is another one, nothing is switched or believed."""
    credentials_secret_name: ObjectName
    """Secret in the operator's namespace. For redfish the keys username and password, and ca.crt for a private \
authority. For a fence_* agent every key but ca.crt is handed to the program as the parameter of that name."""
    verify_tls: bool = Field(default=True)
    """Whether the certificate of the management controller is verified. Leave it on wherever you can. (fence_* agents \
have parameters of their own for it.)"""
