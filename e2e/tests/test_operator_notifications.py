"""People are told by a real mail server, whatever happens to the operator meanwhile."""

import asyncio
import base64
import json
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from e2e.lab.install import NAMESPACE
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session, refused  # noqa: F401
from e2e.tests.operator_records import ACTIONS, BACKUP, PRIMARY
from e2e.tests.test_cli import Shell
from tests.messaging.servers import PASSWORD, USER, Mailbox, Receiver, certificate, https_receiver, mail_server

pytestmark = pytest.mark.timeout(180)


async def test_a_call_home_is_not_lost_when_the_operator_dies_while_it_is_delivered(site: Site, tmp_path: Path) -> None:
    """The mail server has it, the operator does not know: its successor sends it again, and it is known by its id."""
    mailbox = Mailbox()
    context, ca = certificate(tmp_path)
    with mail_server(mailbox, context, security="StartTLS", login=True) as port:
        await _tell_by_mail(site, port, ca)
        mailbox.answers.clear()
        await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
        await site.until(lambda: _arrived(mailbox, 1), "the mail taken")
        await site.operator("kill")
        mailbox.answers.set()
        await site.operator("start")
        await site.until(lambda: _arrived(mailbox, 2), "the mail sent again")
        told = await site.action("Notify", "demo")
        first, again = (message_from_bytes(mail.content, policy=default) for mail in mailbox.mails[:2])
        assert first["Message-ID"] == again["Message-ID"] == f"<{told.name}.demo@avance.example>"
        assert first.get_content() == again.get_content()
        for words in ("psu1", "PSU-920W-P", "SN-node-a-psu1", "Fault history: 1 on record"):
            assert words in first.get_content()
        await site.pair_is("NotificationsDelivered")
        await site.apply_pair()  # without channels: what else there is to tell is nobody's business


async def _tell_by_mail(site: Site, port: int, ca: str) -> None:
    await _make_secret(site, "mail", username=USER, password=PASSWORD, **{"ca.crt": ca})
    email = {
        "host": "127.0.0.1", "port": port, "from": "operator@avance.example", "to": ["ops@avance.example"],
        "credentialsSecretName": "mail",
    }  # fmt: skip
    await _tell_by(site, 0, {"name": "mail", "email": email})


async def _make_secret(site: Site, name: str, **plain: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    await refused(site.api.delete(f"{path}/{name}"))
    await site.api.post(path, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})


async def _tell_by(site: Site, group_seconds: int, *channels: dict[str, Any]) -> None:
    await site.apply_pair(notifications={"groupSeconds": group_seconds, "channels": list(channels)})

    async def known() -> bool:
        listed = (await site.pair_status()).get("notifications") or ()
        return {each["name"] for each in listed} == {each["name"] for each in channels}

    await site.until(known, "the channels known")


async def _arrived(mailbox: Mailbox, count: int) -> bool:
    return len(mailbox.mails) >= count


async def test_a_test_message_tells_what_its_receiver_says(site: Site, tmp_path: Path) -> None:
    """As an administrator types it: the wrong channel, a server that refuses, and at last one that takes it."""
    mailbox = Mailbox()
    context, ca = certificate(tmp_path)
    shell = Shell(site.lab.control_plane.kubeconfig)
    with mail_server(mailbox, context, security="StartTLS", login=True) as port:
        await _tell_by_mail(site, port, ca)
        status, _, said = await shell.run("notify", "--channel", "pager")
        assert (status, "has no channel pager; it has mail" in said) == (2, True), said

        mailbox.answer = "452 4.3.1 no room"
        asked = await shell.start("notify", "--channel", "mail", "Does this arrive?", "--timeout", "2m")
        await site.until(lambda: _says(asked, "452 4.3.1 no room"), "the server's words")
        mailbox.answer = "250 2.0.0 queued as 4711"
        printed, _ = await asked.communicate()
        assert asked.returncode == 0, printed
        assert printed.decode() == "Succeeded: mail has taken it: 250 2.0.0 queued as 4711\n"
        (mail,) = (message_from_bytes(each.content, policy=default) for each in mailbox.mails)
        assert mail["Subject"] == "[avance] demo: test of channel mail"
        assert "Does this arrive?" in mail.get_content()
        await site.apply_pair()


async def _says(process: asyncio.subprocess.Process, words: str) -> bool:
    """Beside its result; it writes a line for each piece of news."""
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    assert line, "it has ended"
    return words in line


async def test_the_first_word_of_a_crash_is_told_at_once_to_a_chat_and_to_a_machine(site: Site, tmp_path: Path) -> None:
    """Although messages are grouped for ten minutes; it takes along the part that has failed before."""
    await site.running_vms("web")
    await site.whole()
    context, ca = certificate(tmp_path)
    chat, desk = Receiver(), Receiver()
    token = "T0KEN-that-nobody-sees"
    with https_receiver(chat, context) as chat_port, https_receiver(desk, context) as desk_port:
        await _make_secret(site, "chat", url=f"jsons://127.0.0.1:{chat_port}/{token}", **{"ca.crt": ca})
        await _make_secret(site, "desk", hmacKey="k", **{"ca.crt": ca})
        template = {"subject": "${target}: ${headline}", "text": "${severity}, ${part} ${serial}"}
        by_chat = {"name": "chat", "apprise": {"secretName": "chat"}, "template": template}
        url = f"https://127.0.0.1:{desk_port}/hook"
        await _tell_by(site, 600, by_chat, {"name": "desk", "webhook": {"url": url, "secretName": "desk"}})
        await site.lab.fail(BACKUP, "PowerSupply", "PSU2", part="750W", serial="S1")
        await site.action("CallHome", BACKUP)
        assert not chat.got
        assert not desk.got
        await site.lab.power_cut(PRIMARY)
        await site.until(lambda: _got(chat, desk), "both told", within=60)
        said, event = json.loads(chat.got[0][1]), json.loads(desk.got[0][1])
        assert said["title"] == f"{PRIMARY}: {PRIMARY} has crashed"
        assert said["message"] == "Critical, 750W S1"
        assert f"{PRIMARY} has crashed (and 1 more)" in event["data"]["subject"]
        (part,) = event["data"]["parts"]
        assert (part["node"], part["component"], part["part"], part["serial"]) == (BACKUP, "PSU2", "750W", "S1")
        assert token not in json.dumps(await site.api.get(ACTIONS))
        await site.apply_pair()
    await site.lab.repair(BACKUP, "PowerSupply", "PSU2")
    await site.action("Rejoin", PRIMARY, within=60)
    await site.whole()


async def _got(*receivers: Receiver) -> bool:
    return all(receiver.got for receiver in receivers)
