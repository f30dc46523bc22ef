"""Who is told what about a pair, by which channel: e-mail, a signed webhook, or a service that apprise knows."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, ListOf, MapBy, Rule, exactly_one
from avance.api.meta import NodeName, ObjectName, Time
from avance.core.message_template import FIELDS

MessageKind = Literal["CallHome", "Failover", "PersonNeeded", "Recovered"]
MessageSeverity = Literal["Info", "Warning", "Critical"]

ChannelName = Annotated[
    str,
    Field(min_length=1, max_length=30),
    Rule(
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "name the channel by lower-case letters, digits and '-' only, beginning and ending with a letter or digit",
    ),
]

_ADDRESS = "^[A-Za-z0-9.!#$%&*+/=?^_{|}~-]+@[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$"
Address = Annotated[
    str,
    Field(min_length=3, max_length=254),
    Rule(
        f"self.matches('{_ADDRESS}')",
        "write a plain address such as ops@example.com: no display name, no list; one entry for each recipient",
    ),
]


class Email(ApiModel):
    """E-mail through a server that speaks SMTP, always encrypted."""

    rules = (
        Rule(
            "self.security != 'TLS' || !has(self.port) || !(self.port in [25, 587])",
            "on the ports 25 and 587 a server begins in plain text: set security to StartTLS, or port to 465",
        ),
        Rule(
            "self.security != 'StartTLS' || !has(self.port) || self.port != 465",
            "on port 465 a server begins with TLS: set security to TLS, or port to 587",
        ),
    )

    host: Annotated[
        str,
        Field(min_length=1, max_length=253),
        Rule(
            "self.matches('^[A-Za-z0-9]([-A-Za-z0-9.:]*[A-Za-z0-9])?$')",
            "write the mail server's name or address alone, for example mail.example.com; the port goes to port",
        ),
    ]
    """Name or address of the mail server."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Its port; when absent, 587 with StartTLS and 465 with TLS."""
    security: Literal["StartTLS", "TLS"] = "StartTLS"
    """StartTLS: begins in plain text and is encrypted before anything is told. TLS: encrypted from the first byte."""
    from_: Address
    """The sender's address."""
    to: Annotated[
        ListOf[Address],
        Field(max_length=16),
        Rule("self.size() > 0", "say whom to tell: at least one address"),
    ]
    """The recipients' addresses."""
    credentials_secret_name: ObjectName | None = None
    """Secret in the operator's namespace with the keys username and password, and ca.crt for a private authority. \
When absent, the operator does not log in."""
    verify_tls: bool = Field(default=True)
    """Whether the certificate of the mail server is verified. Leave it on wherever you can."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 30
    """How long one try may take in all."""


class Webhook(ApiModel):
    """A POST of a CloudEvent (structured JSON), signed by HMAC-SHA256."""

    url: Annotated[
        str,
        Field(min_length=1, max_length=1024),
        Rule("self.startsWith('https://')", "write https://<host>/<path>: what is told is nobody else's business"),
        Rule(
            "!self.startsWith('https://') || (isURL(self) && url(self).getHostname() != '')",
            "this is no address: write https://<host>/<path>",
        ),
        Rule(
            "!self.matches('^https://[^/]*@')",
            "leave user and password out of the url: the receiver knows the operator by the signature",
        ),
    ]
    """Where it is sent: https://<host>/<path>. Redirects are not followed."""
    secret_name: ObjectName
    """Secret in the operator's namespace with the key hmacKey, by which each message is signed, and ca.crt for a \
private authority."""
    verify_tls: bool = Field(default=True)
    """Whether the certificate of the receiver is verified. Leave it on wherever you can."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 10
    """How long one try may take in all."""


class Apprise(ApiModel):
    """One of the chats, push services and SMS gateways that apprise knows: Slack, Teams, Telegram, ntfy and more."""

    secret_name: ObjectName
    """Secret in the operator's namespace with the URL of the service, as apprise writes it, and ca.crt for a private \
authority. The URL holds tokens: nobody sees it in the pair, in logs, Events or results."""
    key: Annotated[
        str,
        Field(min_length=1, max_length=63),
        Rule(
            "self.matches('^[-._a-zA-Z0-9]+$')",
            "write the key of the Secret that holds the URL: letters, digits, '-', '_' and '.' only",
        ),
    ] = "url"
    """Key of the Secret that holds the URL, one URL alone: another receiver is another channel with its own retries."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 30
    """How long one try may take in all."""


_KNOWN_FIELDS = Rule(
    f"self.matches('^([^$]|[$][$]|[$][{{]({'|'.join(FIELDS)})[}}])*$')",
    f"a $ begins a field in braces, as in ${{node}}; there are {', '.join(FIELDS)}; write $$ for a dollar sign",
)


class Template(ApiModel):
    """The channel's own wording, with fields such as ${node}; docs/notifications.md lists them."""

    rules = (Rule("has(self.subject) || has(self.text)", "set subject, text, or both; or leave template out"),)

    subject: Annotated[str, Field(min_length=1, max_length=200), _KNOWN_FIELDS] | None = None
    """Instead of avance's own subject."""
    text: Annotated[str, Field(min_length=1, max_length=4000), _KNOWN_FIELDS] | None = None
    """Instead of avance's own text; ${text} puts that where it belongs."""


class Channel(ApiModel):
    """One way to tell somebody, and what is told by it."""

    rules = (
        Rule(
            exactly_one("email", "webhook", "apprise"),
            "say how this channel tells: set exactly one of email, webhook and apprise",
        ),
    )

    name: ChannelName
    """Name of the channel."""
    tells: Annotated[
        ListOf[MessageKind],
        Field(max_length=4),
        Rule("self.size() > 0", "name what is told by it, or leave tells out: then everything is"),
    ] = ("CallHome", "Failover", "PersonNeeded", "Recovered")
    """What is told: CallHome (a part is to be replaced), Failover (VMs were moved or restarted, a server crashed), \
PersonNeeded (nothing goes on without a person), Recovered (what had been told is over)."""
    minimum_severity: MessageSeverity = "Info"
    """What matters less is not told. Info: redundancy did its work. Warning: redundancy is lost. Critical: a server \
or a VM is lost, or VMs wait for a person."""
    max_messages_per_hour: Annotated[int, Field(ge=1, le=120)] = 12
    """When more happens it waits, and is summed up in the next message. A quarter of them is kept for what is urgent: \
a crash, and when a person is needed."""
    template: Template | None = None
    """Its own wording of subject and text."""
    email: Email | None = None
    """Tell by e-mail."""
    webhook: Webhook | None = None
    """Tell by a signed webhook."""
    apprise: Apprise | None = None
    """Tell by any service that apprise knows."""


class Notifications(ApiModel):
    """Who is told what happens. Nobody, unless channels are named."""

    channels: Annotated[ListOf[Channel], Field(max_length=8), MapBy("name")] = ()
    """The ways by which people and machines are told."""
    group_seconds: Annotated[int, Field(ge=0, le=600)] = 30
    """What happens within this time goes into one message. The first word of a crash, and that a person is needed, is \
told at once."""
    failover_not_ready_seconds: Annotated[int, Field(ge=60, le=86400)] = 900
    """FailoverReady may be False for so long before a person is told."""
    remind_seconds: Annotated[int, Field(ge=0, le=2592000)] = 86400
    """A person who is needed is reminded so often; 0: never."""
    give_up_seconds: Annotated[int, Field(ge=60, le=604800)] = 86400
    """A message that cannot be delivered is tried for so long; then NotificationsDelivered says that it is lost."""


class ChannelStatus(ApiModel):
    """What is kept of one channel."""

    name: ChannelName
    """Name of the channel."""
    since: Time
    """Since when it is there: what happened before is not told by it."""


class PartFault(ApiModel):
    """One recorded fault of a part."""

    at: Time
    """When it was seen."""
    until: Time | None = None
    """When it was seen gone; absent while it is there."""


class Part(ApiModel):
    """A part that has failed, or works again."""

    node: NodeName
    """The server that it is in."""
    name: Annotated[str, Field(max_length=253)]
    """What it is, in words."""
    kind: Annotated[str, Field(max_length=64)]
    """Kind of component: PowerSupply, Fan, Disk, ..."""
    component: Annotated[str, Field(max_length=253)] = ""
    """Which one, as the detector calls it."""
    incident: Annotated[str, Field(max_length=128)]
    """The same for everything that is told about one fault."""
    part: Annotated[str, Field(max_length=253)] = ""
    """Its part number; empty where it is not known."""
    serial: Annotated[str, Field(max_length=253)] = ""
    """Its serial number; empty where it is not known."""
    severity: Annotated[str, Field(max_length=64)] = ""
    """Severity of the fault; empty once it is gone."""
    condition: Annotated[str, Field(max_length=316)] = ""
    """Condition of the node by which the detector told."""
    detail: Annotated[str, Field(max_length=1024)] = ""
    """The detector's words."""
    faults: Annotated[ListOf[PartFault], Field(max_length=8)] = ()
    """Its latest faults, oldest first."""
    fault_count: Annotated[int, Field(ge=0)] = 0
    """How many of its faults are on record."""
    mtbf_seconds: Annotated[int, Field(ge=0)] | None = None
    """Mean time between them; absent with fewer than two."""


class Message(ApiModel):
    """What a Notify tells, and by which channel."""

    channel: ChannelName
    """Name of a channel in spec.notifications of the pair."""
    kind: MessageKind | None = None
    """Of the gravest of what it tells; absent in a test."""
    severity: MessageSeverity = "Info"
    """Of the gravest of what it tells."""
    subject: Annotated[str, Field(max_length=200)] = ""
    """Its subject; when absent, that it is a test."""
    text: Annotated[str, Field(max_length=12000)] = ""
    """Its text; when absent, the message of the action."""
    about: Annotated[ListOf[Annotated[str, Field(max_length=128)]], Field(max_length=128)] = ()
    """Names of what it tells, so that nothing is told twice; not for people."""
    parts: Annotated[ListOf[Part], Field(max_length=16)] = ()
    """The parts that it tells of, for machines."""
