"""How shells are answered that ask what completes a line; click's own ways lose `--option=` or know nothing of it."""

from __future__ import annotations

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)


class _Bash(BashComplete):
    def get_completion_args(self) -> tuple[list[str], str]:
        """Put `--option=value` together again: bash makes three words of it."""
        args, begun = super().get_completion_args()
        words: list[str] = []
        for word in [*args, begun]:
            if words and words[-1].startswith("--") and (word == "=" or words[-1].endswith("=")):
                words[-1] += word
            else:
                words.append(word)
        return words[:-1], words[-1]


class _WholeWords(ShellComplete):
    """Zsh and fish put what is offered in the place of the whole word, so the option has to be in it."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return what fits, `--option=` before it where that was typed."""
        offered = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if equals and option.startswith("--"):
            for each in offered:
                if each.type == "plain":
                    each.value = f"{option}={each.value}"
        return offered


class _Zsh(_WholeWords, ZshComplete):
    pass


class _Fish(_WholeWords, FishComplete):
    pass


__all__ = ["ANSWERS", "shell_complete"]

ANSWERS = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
for _name, _answer in ANSWERS.items():
    add_completion_class(_answer, _name)
