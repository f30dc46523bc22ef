"""Who is told what about a pair, by which channel: e-mail, or a signed webhook."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, ListOf, MapBy, Rule, exactly_one
from avance.api.meta import ObjectName, Time

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


class Channel(ApiModel):
    """One way to tell somebody, and what is told by it."""

    rules = (Rule(exactly_one("email", "webhook"), "say how this channel tells: set exactly one of email and webhook"),)

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
    """When more happens it waits, and is summed up in the next message."""
    email: Email | None = None
    """Tell by e-mail."""
    webhook: Webhook | None = None
    """Tell by a signed webhook."""


class Notifications(ApiModel):
    """Who is told what happens. Nobody, unless channels are named."""

    channels: Annotated[ListOf[Channel], Field(max_length=8), MapBy("name")] = ()
    """The ways by which people and machines are told."""
    group_seconds: Annotated[int, Field(ge=0, le=600)] = 30
    """What happens within this time goes into one message."""
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
