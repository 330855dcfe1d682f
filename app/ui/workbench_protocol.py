"""The workbench's replies: records of the store and services as the JSON that the browser's side reads.

Names and notes go out as plain text; the browser's side never puts them into markup.  Pure functions.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.services.annotating import AnomalyMaps, OpenedImage, source_text
from app.services.colours import DEFAULT_COLOUR_MAP, ColourScale, colour_table
from app.store.masks import pack
from app.store.records import Mask, QueueItem, QueuePage, Revision, Saved

Json = dict[str, Any]


def queue_reply(page: QueuePage) -> Json:
    """A part of the queue."""
    return {
        "items": [item_json(item) for item in page.items],
        "total": page.total,
        "counts": dict(page.counts),
        "version": page.version,
    }


def thumbnails_reply(thumbnails: Mapping[str, bytes]) -> Json:
    """WebP files as data URLs."""
    return {
        "thumbnails": {
            digest: "data:image/webp;base64," + base64.b64encode(data).decode() for digest, data in thumbnails.items()
        }
    }


def opened_reply(opened: OpenedImage, url: str) -> Json:
    """Everything the editor needs.

    Args:
        opened: the image.
        url: where the browser gets its pixels.
    """
    newest, maps = opened.item.newest, opened.maps
    return {
        "item": item_json(opened.item),
        "url": url,
        "note": "" if newest is None else newest.note,
        "picture_note": opened.picture.note,
        "mask": mask_json(opened.mask),
        "mask_from": opened.mask_from,
        "revision": None if newest is None else revision_json(newest),
        "proposal": _proposal_json(opened),
        "proposal_problem": opened.proposal_problem,
        "map": None if maps is None else _map_json(maps),
        "layers": [] if maps is None else _layers_json(maps),
        "layer_scale": None if maps is None else _scale_json(maps.layer_scale),
        "classes": list(opened.defect_classes),
        "palette": base64.b64encode(colour_table(DEFAULT_COLOUR_MAP).tobytes()).decode(),
    }


def saved_reply(saved: Saved, item: QueueItem) -> Json:
    """The answer to a save, a removal or a restoration."""
    return {
        "revision": revision_json(saved.revision),
        "overtaken": [revision_json(revision) for revision in saved.overtaken],
        "repeated": saved.repeated,
        "item": item_json(item),
    }


def history_reply(revisions: Sequence[Revision]) -> Json:
    """All revisions of an image, newest first."""
    return {"revisions": [revision_json(revision) for revision in revisions]}


def item_json(item: QueueItem) -> Json:
    """An image and how far it is."""
    image, newest, proposal = item.image, item.newest, item.proposal
    height, width = image.size_hw
    return {
        "digest": image.digest,
        "name": image.name,
        "width": width,
        "height": height,
        "state": item.state,
        "score": None if proposal is None else proposal.image_score,
        "threshold": None if proposal is None else proposal.threshold,
        "verdict": "" if proposal is None else proposal.verdict,
        "benefit": None if item.benefit is None else item.benefit.value,
        "why_next": "" if item.benefit is None else item.benefit.reason,
        "revision": 0 if newest is None else newest.number,
        "label": None if newest is None else newest.label,
        "author": "" if newest is None else newest.author,
        "saved_at": None if newest is None else _time(newest.saved_at),
        "added_at": _time(image.added_at),
    }


def revision_json(revision: Revision) -> Json:
    """A revision without its mask."""
    return {
        "number": revision.number,
        "kind": revision.kind,
        "label": revision.label,
        "author": revision.author,
        "saved_at": _time(revision.saved_at),
        "note": revision.note,
        "area_px": revision.area_px,
        "source": source_text(revision),
        "based_on": revision.based_on,
        "classes": [
            {"x": region.point_xy[0], "y": region.point_xy[1], "name": region.defect_class}
            for region in revision.regions
            if region.defect_class
        ],
    }


def mask_json(mask: Mask) -> Json:
    """A mask, packed."""
    return {"w": mask.shape[1], "h": mask.shape[0], "data": base64.b64encode(pack(mask)).decode()}


def _proposal_json(opened: OpenedImage) -> Json | None:
    proposal = opened.proposal
    if proposal is None or opened.proposal_mask is None:
        return None
    return {
        "id": proposal.id,
        "preset": proposal.preset,
        "title": opened.proposal_title,
        "checkpoint": proposal.checkpoint,
        "image_score": proposal.image_score,
        "threshold": proposal.threshold,
        "suspicious": proposal.suspicious,
        "verdict": proposal.verdict,
        "mask": mask_json(opened.proposal_mask),
    }


def _map_json(maps: AnomalyMaps) -> Json:
    return {**_floats_json(maps.fused), **_scale_json(maps.scale)}


def _scale_json(scale: ColourScale) -> Json:
    return {"low": scale.low, "high": scale.high, "odds": scale.in_odds}


def _layers_json(maps: AnomalyMaps) -> list[Json]:
    return [
        {"layer": layer, **_floats_json(values)} for layer, values in zip(maps.layers, maps.layer_maps, strict=True)
    ]


def _floats_json(values: NDArray[np.float32]) -> Json:
    """(h, w) as base64 of little-endian 32-bit floats, row by row."""
    data = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return {"h": values.shape[0], "w": values.shape[1], "data": base64.b64encode(data).decode()}


def _time(moment: datetime) -> str:
    return moment.isoformat()
