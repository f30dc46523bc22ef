"""`avance completion SHELL`: a script that completes commands, options and their values, made from the parser."""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from avance.cli import options

SHELLS = ("bash", "zsh", "fish")
PROGRAMS = ("avance", "kubectl-avance")

_BASH = """\
# Completion of avance: put this into ~/.{shell}rc:  source <(avance completion {shell})
_avance() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    case "${{COMP_WORDS[1]}} $before" in
{values}
        *) case "$COMP_CWORD,${{COMP_WORDS[1]}}" in
            1,*) words="{commands}" ;;
{commands_options}
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _avance {programs}
"""


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "completion",
        help="print a script that completes commands and options in your shell",
        description="Print a script that completes commands, options and their values.\n\n"
        "  bash, in ~/.bashrc:  source <(avance completion bash)\n"
        "  zsh, in ~/.zshrc:    source <(avance completion zsh)\n"
        "  fish:                avance completion fish > ~/.config/fish/completions/avance.fish",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    sys.stdout.write(script(chosen.whole, chosen.shell))
    return 0


def script(parser: ArgumentParser, shell: str) -> str:
    """The script for one of `SHELLS`."""
    known = {name: list(_completions(command)) for name, command in _commands(parser).items()}
    helps = {action.dest: action.help or "" for action in _subcommands(parser)._choices_actions}
    if shell == "fish":
        return "".join(f"{line}\n" for line in _fish(known, helps))
    bash = _BASH.format(
        shell=shell,
        commands=" ".join(known),
        commands_options="\n".join(
            f'            *,{name}) words="{" ".join(_words(found))}" ;;' for name, found in known.items()
        ),
        values="\n".join(
            f'        "{name} {option}") words="{" ".join(values)}" ;;'
            for name, found in known.items()
            for option, values, _ in found
            if values and option
        ),
        programs=" ".join(PROGRAMS),
    )
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash}" if shell == "zsh" else bash


Completion = tuple[str, tuple[str, ...], str]
"""An option (empty for what is written without one), the values that it can take, and what it is for."""


def _subcommands(parser: ArgumentParser) -> argparse._SubParsersAction[ArgumentParser]:
    return next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))


def _commands(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    return dict(_subcommands(parser).choices)


def _completions(command: ArgumentParser) -> Iterator[Completion]:
    for action in command._actions:
        values = tuple(str(choice) for choice in action.choices or ())
        if isinstance(action, argparse._SubParsersAction):
            # The options of a group's verbs, each once: which verb was typed the scripts do not look at.
            verbs = [found for verb in action.choices.values() for found in _completions(verb)]
            yield from {option: (option, values, about) for option, values, about in verbs}.values()
        for option in action.option_strings or [""]:
            if option or values:
                yield option, values, (action.help or "").replace("'", "’")


def _words(found: list[Completion]) -> Iterator[str]:
    for option, values, _ in found:
        yield from [option] if option else values


def _fish(known: dict[str, list[Completion]], helps: dict[str, str]) -> Iterator[str]:
    for name, found in known.items():
        about = helps.get(name, "").replace("'", "’")
        yield f"complete -c avance -n __fish_use_subcommand -f -a {name} -d '{about}'"
        for option, values, help_ in found:
            on = f"complete -c avance -n '__fish_seen_subcommand_from {name}'"
            takes = f" -x -a '{' '.join(values)}'" if values else ""
            kind = f" -l {option[2:]}" if option.startswith("--") else f" -s {option[1:]}" if option else " -f"
            yield f"{on}{kind}{takes} -d '{help_}'"
