"""The words that DA-CLIP compares a picture with: states of an object, put into templates.

Unofficial reconstruction; the words are the paper's.  Source: DA-CLIP, CVPR 2026 Findings, supplementary Table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.errors import DataError

SLOT: Final = "{}"
MAX_STATES: Final = 64  # a kind: with a template or two, what a text tower encodes within seconds on a processor
NORMAL_STATES: Final = ("{}", "a {}", "the {}")
ANOMALOUS_STATES: Final = ("damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage")
TEMPLATES: Final = ("{}", "a photo of a {}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSet:
    """Which texts stand for "normal" and which for "anomalous"; the paper's unless told otherwise.

    Blanks around a text are dropped, so that they make no other set.

    Raises:
        DataError: a list is empty or longer than 64, or a line is blank or has not exactly one {}.
    """

    object_name: str = "object"
    normal: tuple[str, ...] = NORMAL_STATES  # {} stands for the object's name
    anomalous: tuple[str, ...] = ANOMALOUS_STATES
    templates: tuple[str, ...] = TEMPLATES  # {} stands for a state with the name filled in

    def __post_init__(self) -> None:
        object.__setattr__(self, "object_name", self.object_name.strip())
        for name in ("normal", "anomalous", "templates"):
            object.__setattr__(self, name, tuple(line.strip() for line in getattr(self, name)))
        if not self.object_name:
            raise DataError("The object's name is empty; write what the picture shows, or simply: object.")
        if "{" in self.object_name or "}" in self.object_name:
            raise DataError(f"The object's name {self.object_name!r} holds braces; write the name without them.")
        for kind, lines in (("normal state", self.normal), ("anomalous state", self.anomalous)):
            _check_lines(kind, lines)
        _check_lines("template", self.templates)

    def normal_texts(self) -> tuple[str, ...]:
        """Every template with every normal state: 6 with the paper's words, the first template's before the next's."""
        return self._filled(self.normal)

    def anomalous_texts(self) -> tuple[str, ...]:
        """Every template with every anomalous state: 10 with the paper's words."""
        return self._filled(self.anomalous)

    def _filled(self, states: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            template.replace(SLOT, state).replace(SLOT, self.object_name)
            for template in self.templates
            for state in states
        )


def parse_states(text: str) -> tuple[str, ...]:
    """Read states as a person writes them: one a line, blank lines skipped.

    Args:
        text: any number of lines; a line without {} goes before the object's name: "cracked" means "cracked {}".
    Returns:
        States for a PromptSet, which checks them; empty if the text is.
    """
    lines = [line.strip() for line in text.splitlines()]
    return tuple(line if "{" in line or "}" in line else f"{line} {SLOT}" for line in lines if line)


def _check_lines(kind: str, lines: tuple[str, ...]) -> None:
    if not lines:
        raise DataError(f"There is no {kind}; write at least one, one a line.")
    if len(lines) > MAX_STATES:
        raise DataError(f"There are {len(lines)} {kind}s; keep at most {MAX_STATES}.")
    for line in lines:
        if not line:
            raise DataError(f"A {kind} is blank; write a few words or leave the line out.")
        if line.count(SLOT) != 1 or line.count("{") != 1 or line.count("}") != 1:
            raise DataError(f"The {kind} {line!r} must hold {SLOT} exactly once, and no other braces.")
