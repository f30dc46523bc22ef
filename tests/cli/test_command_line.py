"""The command line as a whole: help, wrong input, colours, completion, `kubectl avance`."""

import argparse
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from avance.cli import main
from avance.cli.command_line import COMMANDS, parser
from avance.cli.completion import SHELLS, script
from avance.cli.exits import UNREACHABLE
from avance.cli.kubectl_completion import answer
from avance.cli.options import duration
from avance.cli.terminal import length, table

NAMES = sorted(
    next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)).choices
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"avance {name}" in capsys.readouterr().out


def test_every_module_of_a_command_is_used() -> None:
    assert len(NAMES) >= len(COMMANDS)


def test_help_loads_nothing_that_takes_its_time() -> None:
    heavy = "import sys; sys.argv=['avance']; from avance.cli.command_line import parser; parser(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", heavy], capture_output=True, check=True, text=True).stdout.split()
    assert not {"kopf", "kubernetes", "sushy"} & set(loaded)


def test_a_cluster_that_is_not_there_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["status"], ["explain", "web"], ["log"], ["switchover", "node-a"],
                    ["maintenance", "leave", "node-a"], ["pause", "--for", "1h",
                    "--reason", "works"], ["resume"], ["reset-mtbf", "node-a", "--reason", "mended"]):  # fmt: skip
        assert main([*command, "--kubeconfig", "/nowhere"]) == UNREACHABLE
        said = capsys.readouterr()
        assert said.err == (
            f"avance {command[0]}: there is no kubeconfig /nowhere: name another one with --kubeconfig or $KUBECONFIG\n"
        )
        assert said.out == ""


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers of all commands, those of commands below a command too."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for each in action.choices.values():
            yield from leaves(each)
    if not below:
        yield parser


ASKS_A_CLUSTER = {
    each.prog.removeprefix(f"{parser().prog} "): each
    for each in leaves(parser())
    if any("--kubeconfig" in action.option_strings for action in each._actions)
}
WORTH = {"--for": "1h", "--crash": "node-a", "--user-data": __file__, "--http": "https://images.example/a"}
"""What options that are needed are given, if a word will not do."""


def least_of(command: argparse.ArgumentParser) -> list[str]:
    """The fewest words that a command takes."""
    words: list[str] = []
    chosen = [group._group_actions[0] for group in command._mutually_exclusive_groups if group.required]
    for action in command._actions:
        if action.option_strings and (action.required or action in chosen):
            words += [action.option_strings[-1], WORTH.get(action.option_strings[-1], "node-a")]
        elif not action.option_strings and action.nargs not in ("*", "?"):
            word = str(next(iter(action.choices or ["node-a"])))
            words += [word, f"{word}-2"][: action.nargs if isinstance(action.nargs, int) else 1]
    known = {option for action in command._actions for option in action.option_strings}
    return [*words, *(option for option in ("--yes", "--apply") if option in known)]


@pytest.mark.parametrize("name", ASKS_A_CLUSTER)
def test_a_command_asks_the_cluster_of_the_context_that_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two clusters that both do not answer: which one was asked is in the answer."""
    contexts = {"here": 1, "there": 2}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": each, "context": {"cluster": each, "user": "ann"}} for each in contexts],
        "clusters": [
            {"name": each, "cluster": {"server": f"http://127.0.0.1:{port}"}} for each, port in contexts.items()
        ],
        "users": [{"name": "ann", "user": {}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    asked = [*name.split(), *least_of(ASKS_A_CLUSTER[name]), "--kubeconfig", str(tmp_path / "config")]
    monkeypatch.setattr(sys, "stdin", io.StringIO("node-a\n" * 2))
    main([*asked, "--context", "there"])
    assert "127.0.0.1:2" in capsys.readouterr().err
    assert main([*asked, "--context", "nowhere"]) == UNREACHABLE
    assert "nowhere" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "config"], "nothing half made is left behind"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["pause", "--for", "soon", "--reason", "x"], "write 90s, 15m, 2h, 1d or 1h30m"),
        (["pause", "--for", "2h"], "--reason"),
        (["log", "--since", "yesterday"], "write how long ago"),
        (["statsu"], "invalid choice: 'statsu'"),
        ([], "COMMAND"),
    ],
)
def test_wrong_input_says_what_to_write(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("name", ["reset-mtbf", "accept-replacement", "attest-off"])
def test_a_reason_of_nothing_is_none(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "node-a", "--reason", "  "]) == 2
    assert "a reason is needed" in capsys.readouterr().err


def test_a_maintenance_of_nothing_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maintenance", "enter", "node-a", "--message", " ", "--kubeconfig", "/nowhere"]) == 2
    assert "say what is done to node-a" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["", "yes\n", "node-b\n", "Node-A\n"])
def test_attest_off_asks_for_nothing_unless_the_name_is_typed(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert main(["attest-off", "node-a", "--reason", "plugs pulled", "--kubeconfig", "/nowhere"]) == 2
    assert "nothing was asked for" in capsys.readouterr().err


def test_no_colours_and_no_traceback_into_a_pipe_that_closes() -> None:
    command = f"{sys.executable} -m avance completion bash | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_lengths_of_time() -> None:
    assert [duration(text) for text in ("90s", "15m", "2h", "1d", "1h30m")] == [90, 900, 7200, 86400, 5400]
    assert [length(seconds) for seconds in (0.44, 42, 221, 7500, 100000)] == [
        "0.4 s", "42 s", "3 min 41 s", "2 h 5 min", "1 d 3 h"
    ]  # fmt: skip


def test_a_table_is_aligned_whatever_its_colours() -> None:
    assert table([("a", "b"), ("\x1b[31mlonger\x1b[0m", "c")]) == ["a       b", "\x1b[31mlonger\x1b[0m  c"]


def completed(line: str) -> list[str]:
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    asked = f"""
{script(parser(), "bash")}
COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}
_avance; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", asked], capture_output=True, check=True, text=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_and_values() -> None:
    assert completed("avance sta") == ["status"]
    assert set(completed("avance ")) == set(NAMES)
    assert "--watch" in completed("avance status --")
    assert completed("avance status --outp") == ["--output"]
    assert set(completed("avance status -o ")) == {"text", "json"}
    assert set(completed("avance completion ")) >= set(SHELLS)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_script(shell: str, tmp_path: Path) -> None:
    text = script(parser(), shell)
    for name in NAMES:
        assert name in text
    program = shutil.which(shell)
    if program is not None:  # its own parser, where this machine has it
        (tmp_path / "script").write_text(text)
        subprocess.run([program, "-n", tmp_path / "script"], check=True)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["sta"], ["status", ":4"]),
        (["status", "--wat"], ["--watch", ":4"]),
        (["status", "-o", ""], ["text", "json", ":4"]),
        (["status", "--output", "j"], ["json", ":4"]),
        (["status", "--watch", ""], [":4"]),
        (["log", "--type", "Rej"], ["Rejoin", ":4"]),
        (["status", "--kubeconfig", "/etc"], [":0"]),
        (["vm", "cr"], ["create", ":4"]),
        (["vm", "create", "--cor"], ["--cores", ":4"]),
        (["completion", ""], [*SHELLS, ":4"]),
        (["nonsense", "x"], [":4"]),
    ],
)
def test_kubectl_is_told_what_can_be_typed(typed: list[str], offered: list[str]) -> None:
    assert [line.partition("\t")[0] for line in answer(parser(), typed)] == offered


def test_kubectl_is_told_of_every_command_with_what_it_is_for() -> None:
    lines = dict(line.partition("\t")[::2] for line in answer(parser(), []))
    assert set(lines) - {":4"} == set(NAMES)
    assert all(about for name, about in lines.items() if name != ":4")


def test_as_a_plugin_of_kubectl_it_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/kubectl-avance", "status"])
    assert parser().prog == "kubectl avance"
