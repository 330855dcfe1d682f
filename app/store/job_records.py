"""What a teaching job is: the request, and how far it is.  Plain records with a round trip through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

JobState = Literal["queued", "running", "done", "cancelled", "stopped", "failed"]
JOB_STATES: Final[tuple[JobState, ...]] = get_args(JobState)
OPEN: Final[frozenset[JobState]] = frozenset({"queued", "running"})
_MOMENTS: Final = ("started_at", "ended_at")
TeachMode = Literal["quick", "full"]
MODES: Final[frozenset[str]] = frozenset(get_args(TeachMode))


@dataclass(frozen=True, slots=True, kw_only=True, eq=True)
class TeachRequest:
    """What is to be taught, and how."""

    preset: str
    mode: TeachMode = "quick"
    author: str = ""
    steps: int | None = None  # None: the mode's own number
    image_px: int | None = None  # side of the square input; None: the head's
    replay_folder: str | None = None  # pictures of normal objects that are replayed beside the synthetic ones
    flips: bool = False  # also learn from mirrored and turned copies
    rule: Mapping[str, Any] | None = None  # threshold from labels: {"kind": ..., "rate": ...}
    seed: int = 0
    activate: bool = False  # use the version at once if it got better

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TeachRequest:
        """Read what `as_json` gave; fields that are not known are left out.

        Raises:
            ValueError: a field is missing or of another kind.
        """
        known = {field.name for field in fields(cls)}
        try:
            request = cls(**{name: value for name, value in values.items() if name in known})
        except TypeError as error:
            raise ValueError(f"no request: {values!r}") from error
        if not all(isinstance(value, str) for value in (request.preset, request.author)) or request.mode not in MODES:
            raise ValueError(f"no request: {values!r}")
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request and how far it is."""

    id: str  # sorts by the moment it was asked for
    request: TeachRequest
    state: JobState
    doing: str  # a sentence on what it does now, or how it ended
    share: float  # done of the whole, in [0, 1]
    version: str | None  # id of the version that came out of it
    problem: str  # a sentence on why it failed or stopped; ""
    created_at: datetime  # UTC
    started_at: datetime | None = None  # of the last attempt
    ended_at: datetime | None = None
    attempts: int = 0  # how often a worker began with it
    cancel_requested: bool = False

    @property
    def is_open(self) -> bool:
        """It waits or runs."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The part of a job that changes; what state.json holds."""

    state: JobState = "queued"
    doing: str = "waits for its turn"
    share: float = 0.0
    version: str | None = None
    problem: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        moments = {name: getattr(self, name) for name in _MOMENTS}
        return {**asdict(self), **{name: at and at.isoformat() for name, at in moments.items()}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Standing:
        """Read what `as_json` gave.

        Raises:
            ValueError: it is something else.
        """
        known = {field.name for field in fields(cls)}
        plain = {name: value for name, value in values.items() if name in known and name not in _MOMENTS}
        moments: dict[str, Any] = {
            name: datetime.fromisoformat(values[name]).astimezone(UTC) for name in _MOMENTS if values.get(name)
        }
        standing = cls(**plain, **moments)
        if standing.state not in JOB_STATES:
            raise ValueError(f"no state of a job: {standing.state!r}")
        return standing
