"""The confirmed normals of a workspace as reference pictures: what people called normal there, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.services.references import MOST_REFERENCES

if TYPE_CHECKING:
    from app.store.records import StoredImage
    from app.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ConfirmedNormals:
    """Which images of a workspace show what normal looks like."""

    total: int  # that a person called normal
    images: tuple[StoredImage, ...]  # of them, those decided on last, at most 32


def confirmed_normals(workspace: Workspace, *, without: str = "") -> ConfirmedNormals:
    """Find what people called normal.

    Args:
        workspace: whose images.
        without: digest of an image that does not count, because it is the one to be compared; "" = none.
    """
    total, images = workspace.newest_normals(MOST_REFERENCES + 1)
    others = tuple(image for image in images if image.digest != without)
    return ConfirmedNormals(total - (len(images) - len(others)), others[:MOST_REFERENCES])
