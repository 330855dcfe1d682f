"""Proposals beside the confirmed normals of the workspace: which are compared with, and how that is asked for.

Few are taken, and not with every confirmation other ones, so that a bank of them is rarely made while people label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.services.references import ReferenceOptions, References
from models.errors import DataError, ExpectedError
from models.registry import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.services.references import ReferenceBuilder
    from app.store.workspace import Workspace
    from models.data.pictures import Picture

BESIDE_NORMALS: Final = "+normals"
_MOST: Final = 8
_RENEWED_EVERY: Final = 4  # confirmations


@dataclass(frozen=True, slots=True)
class Asked:
    """How proposals are asked for."""

    preset: str
    beside_normals: bool


def asked_for(text: str) -> Asked:
    """What stands behind a preset's name, or behind one with BESIDE_NORMALS; some presets know nothing else."""
    preset = text.removesuffix(BESIDE_NORMALS)
    needs = preset in PRESETS and PRESETS[preset].needs_references
    return Asked(preset, needs or preset != text)


class BesideNormals:
    """The workspace's confirmed normals as references; thread-safe."""

    def __init__(self, workspace: Workspace, builder: ReferenceBuilder, read: Callable[[str], Picture]) -> None:
        """Prepare; nothing is read yet.

        Args:
            workspace: whose normals.
            builder: makes banks.
            read: an image's pixels by its digest.
        """
        self._workspace = workspace
        self._builder = builder
        self._read = read

    def digests(self, without: str) -> tuple[str, ...]:
        """The images that one is compared with, never itself; none where nobody called another one normal."""
        total, images = self._workspace.newest_normals(_MOST + _RENEWED_EVERY)
        newer = total % _RENEWED_EVERY if total > _MOST else 0
        others = [image.digest for image in images[newer:] if image.digest != without]
        return tuple(others[:_MOST])

    def of(self, digest: str) -> References:
        """The bank that an image is compared with; one that is in memory costs nothing.

        Raises:
            DataError: nobody called another image normal, or none of those can be read.
            WeightsError: the backbone's weights are missing or damaged.
        """
        pictures = []
        for other in self.digests(digest):
            try:
                pictures.append(self._read(other))
            except ExpectedError:  # a damaged file is told where its own image is opened
                continue
        if not pictures:
            raise DataError(
                "There is no confirmed normal image to compare this one with; call a few images normal first (the N "
                "key), or choose proposals without them."
            )
        return self._builder.build(pictures, ReferenceOptions())
