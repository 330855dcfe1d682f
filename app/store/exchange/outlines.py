"""Outlines of regions along the edges of their pixels: filling one by the even-odd rule gives the same pixels again.

A hole is joined to what surrounds it by a bridge, a line walked there and back.  Bridges lie between two rows of
pixels, so that no centre of a pixel lies on one.  Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from app.store.records import Mask

# Directions of edges; the region lies on their right-hand side.
_RIGHT, _DOWN, _LEFT, _UP = range(4)


def outline(region: Mask) -> NDArray[np.int64]:
    """The outline of one region as one polygon.

    Args:
        region: (h, w), 8-connected and not empty.
    Returns:
        (n, 2) corners x, y in whole numbers: pixel (0, 0) reaches from 0 to 1.
    """
    padded = np.pad(region, 1)
    width = padded.shape[1] + 1
    rings, ring_of_edge = _rings(padded)
    walked = np.array(_walk(rings, _bridges(padded, rings, ring_of_edge)), dtype=np.int64)
    points = np.column_stack((walked % width, walked // width)) - 1
    coming, going = (np.sign(points - np.roll(points, 1, axis=0)), np.sign(np.roll(points, -1, axis=0) - points))
    corners: NDArray[np.int64] = points[(coming != going).any(axis=1)]
    return corners


def _rings(padded: Mask) -> tuple[list[list[int]], dict[int, int]]:
    """The ring around the region, then those of its holes, as numbers of corners in reading order.

    Returns:
        The rings, and for each upright edge, by its upper corner, the ring that it is part of.
    """
    width = padded.shape[1] + 1
    steps = (1, width, -1, -width)
    edges = [direction.tobytes() for direction in _edges(padded)]
    seen = bytearray(len(edges[_RIGHT]))
    rings: list[list[int]] = []
    ring_of_edge: dict[int, int] = {}
    for first in np.flatnonzero(np.frombuffer(edges[_RIGHT], dtype=np.uint8)).tolist():
        if seen[first]:
            continue
        ring: list[int] = []
        corner, direction = first, _RIGHT
        while not ring or corner != first or direction != _RIGHT:
            ring.append(corner)
            if direction == _RIGHT:
                seen[corner] = 1
            elif direction != _LEFT:
                ring_of_edge[corner if direction == _DOWN else corner - width] = len(rings)
            corner += steps[direction]
            # To turn left first keeps together what touches at a corner.
            left = (direction + 3) % 4
            direction = next(turn % 4 for turn in (left, left + 1, left + 2) if edges[turn % 4][corner])
        rings.append(ring)
    return rings, ring_of_edge


def _edges(padded: Mask) -> NDArray[np.bool_]:
    """(4, h + 1, w + 1): whether an edge leads from a corner into each direction."""
    edges = np.zeros((4, padded.shape[0] + 1, padded.shape[1] + 1), dtype=np.bool_)
    inner = padded[1:-1, 1:-1]
    edges[_RIGHT, 1:-2, 1:-2] = inner & ~padded[:-2, 1:-1]
    edges[_DOWN, 1:-2, 2:-1] = inner & ~padded[1:-1, 2:]
    edges[_LEFT, 2:-1, 2:-1] = inner & ~padded[2:, 1:-1]
    edges[_UP, 2:-1, 1:-2] = inner & ~padded[1:-1, :-2]
    return edges


def _bridges(padded: Mask, rings: list[list[int]], ring_of_edge: Mapping[int, int]) -> dict[tuple[int, int], int]:
    """For each hole, the ring and corner from which it is reached: straight to the left of its first corner."""
    width = padded.shape[1] + 1
    last_outside = np.maximum.accumulate(np.where(padded, 0, np.arange(padded.shape[1])), axis=1)
    reached = {}
    for hole in range(1, len(rings)):
        y, x = divmod(min(rings[hole]), width)
        corner = y * width + int(last_outside[y, x - 1]) + 1
        reached[ring_of_edge[corner], corner] = hole
    return reached


def _walk(rings: list[list[int]], bridges: dict[tuple[int, int], int]) -> list[int]:
    """All corners in one walk.  Each hole hangs on one that begins further up or left, so none is walked twice."""
    walked: list[int] = []
    stack = [(0, iter(rings[0]))]
    while stack:
        ring, corners = stack[-1]
        corner = next(corners, None)
        if corner is None:
            stack.pop()
            continue
        walked.append(corner)
        hole = bridges.pop((ring, corner), None)
        if hole is not None:
            first = rings[hole].index(min(rings[hole]))
            there_and_back = chain(rings[hole][first:], rings[hole][: first + 1], (corner,))
            stack.append((hole, iter(there_and_back)))
    return walked
