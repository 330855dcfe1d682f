"""Words that people give for a method that compares pictures with text, and whether a preset has a use for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from models.errors import DataError
from models.methods.prompts import PromptSet, parse_states
from models.presets import Preset

if TYPE_CHECKING:
    from app.services.inspector import Inspector
    from models.loading import LoadedModel

PAPER_WORDS: Final = PromptSet()


def takes_words(preset: Preset) -> bool:
    """Whether people may change the words: the methods that are there for comparison keep those of their papers."""
    return preset.text is not None and preset.reading.score == "patches"


def own_words(model: LoadedModel) -> PromptSet:
    """The words that a model compares with unless people give others: its head's, which may not be the paper's."""
    prompts = getattr(model.method, "prompts", None)
    return prompts if isinstance(prompts, PromptSet) else PAPER_WORDS


def words_of(
    object_name: str | None, normal: Sequence[str], anomalous: Sequence[str], own: PromptSet | None = None
) -> PromptSet | None:
    """The words that were given, the model's own in the place of those that were not.

    Args:
        object_name: what the picture shows; empty = the model's own.
        normal: states such as "intact {}" or "intact", which means the same; empty = the model's own.
        anomalous: likewise.
        own: the model's own words; None = not known yet, and the paper's fill the places.
    Returns:
        None where nothing was given, or just the model's own.
    Raises:
        DataError: a state is blank or holds braces that mean nothing.
    """
    if not (object_name or normal or anomalous):
        return None
    others = own or PAPER_WORDS
    given = replace(
        others,
        object_name=object_name or others.object_name,
        normal=parse_states("\n".join(normal)) if normal else others.normal,
        anomalous=parse_states("\n".join(anomalous)) if anomalous else others.anomalous,
    )
    return None if given == own else given


def words_written(object_name: str, normal: str, anomalous: str) -> PromptSet:
    """The words of three text fields, one state a line; nothing stands in for an empty field.

    Raises:
        DataError: a field is empty, or a state holds braces that mean nothing.
    """
    return PromptSet(object_name=object_name, normal=parse_states(normal), anomalous=parse_states(anomalous))


def check_readable(inspector: Inspector, preset: str, prompts: PromptSet | None) -> None:
    """Have the preset's text tower read the words, before there is a picture; its model is loaded if it is not yet.

    Raises:
        DataError: a text is too long for it.
        WeightsError: the preset's weights are missing or damaged.
    """
    if prompts is None:
        return
    from models.methods.base import TextMethod  # not at import: the page must be up before torch is

    method = inspector.model(preset).method
    if isinstance(method, TextMethod):
        method.with_prompts(prompts)


def check_fits(preset: Preset, *, alpha: float | None, top_patches: int | None, prompts: PromptSet | None) -> None:
    """Refuse settings that the preset's method would pass over in silence; None = not given.

    Raises:
        DataError: the method has no refined maps, scores no patches or compares with no words.
    """
    if alpha is not None and preset.alpha is None:
        raise DataError(f"{preset.name} has no refined maps, so alpha means nothing there; leave it out.")
    if top_patches is not None and preset.top_patches is None:
        raise DataError(f"{preset.name} scores pixels, not patches; give its top-k as a share of them instead.")
    if prompts is not None and not takes_words(preset):
        raise DataError(
            f"{preset.name} takes no words; leave them out, or choose a preset of DA-CLIP or CLIP zero-shot."
        )
