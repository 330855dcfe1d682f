"""Whether a head has seen what it is tested on: numbers of such a test are not zero-shot, and nothing else tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from models.data.datasets import DataSet
from models.evaluation.published import SET_CLASSES, published_set
from models.head_files import AUTHORS_SUFFIXES, read_head

_NO_DATA_SET: Final = frozenset(("synthetic", "nothing"))
_SHARED_LAYOUTS: Final = frozenset(("mvtec", "meta-json", "flat", "kvasir", "brain-ad"))  # those of several sets


def trained_classes(head_path: Path | None) -> tuple[str, ...]:
    """The classes that a head's description says it was trained on; none where it names none, or there is no head.

    Raises:
        WeightsError: the file is missing, damaged or of another kind.
    """
    if head_path is None or head_path.suffix in AUTHORS_SUFFIXES:
        return ()  # the authors' files do not say
    training = read_head(head_path).config.get("training")
    return tuple(map(str, training.get("classes", ()))) if isinstance(training, Mapping) else ()


def overlap_warnings(trained_on: str | None, classes: Iterable[str], found: DataSet) -> list[str]:
    """A warning where a head may have seen the classes that it is tested on.

    Args:
        trained_on: name of the training data; None: the head does not say.
        classes: those of the training data; empty: unknown, unless the name is that of a set of the papers.
        found: what it is tested on.
    """
    if trained_on is None:
        return ["The head does not say what it was trained on: make sure that it has not seen these classes."]
    if trained_on in _NO_DATA_SET:
        return []
    names = _names(trained_on, tuple(classes))
    if names & _names(found.name, found.class_names):
        return [f"The head was trained on {trained_on}, which is what it is tested on here: this is not zero-shot."]
    known = frozenset(classes) or frozenset().union(*(SET_CLASSES.get(name, frozenset()) for name in names))
    seen = sorted(known & set(found.class_names))
    if seen:
        return [
            f"The head was trained on {trained_on}, where it has seen classes of the same names ({', '.join(seen)}):"
            " unless they are other objects, this is not zero-shot."
        ]
    return []


def _names(name: str, classes: tuple[str, ...]) -> frozenset[str]:
    """What a set may be known as: its whole name, folder, layout where no other set has it, and its classes' set."""
    layout, _, folder = name.partition(":")
    by_layout = None if layout in _SHARED_LAYOUTS else layout
    return frozenset(known for known in (name, folder, by_layout, published_set(classes)) if known)
