"""A report as a table for the terminal, for Markdown or as CSV; what does not apply is "n/a"."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from app.services.reports import Report, ReportRow

_IMAGE_COLUMNS = ("method", "group", "normal", "anomalous", "AUROC", "AP", "F1-max")
_PIXEL_COLUMNS = ("pixel AUROC", "pixel AP", "pixel F1", "pro", "aupro")


def as_table(report: Report) -> str:
    """Lay a report out: one line per row, and below it what it was measured with."""
    lines = aligned(_cells(report))
    head = f"head {report.checkpoint[:12]}, layers {','.join(map(str, report.layers))}, " if report.checkpoint else ""
    about = (
        f"{report.data}; {report.preset}, {head}{report.image_size} px, {_scoring(report)}"
        f"sigma {report.blur_sigma:g}; {report.seconds:.0f} s"
    )
    return "\n".join([*lines, about, *(f"warning: {warning}" for warning in report.warnings)])


def _scoring(report: Report) -> str:
    """What makes the scores, as the beginning of a list."""
    parts = {"top-k": report.top_k, "alpha": report.alpha, "top patches": report.top_patches}
    return "".join(f"{name} {value:g}, " for name, value in parts.items() if value is not None)


def as_markdown(report: Report) -> str:
    """The same table for a document."""
    rows = _cells(report)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def as_csv(report: Report) -> str:
    """The same table as CSV, what does not apply left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([["" if cell in ("n/a", "–") else cell for cell in row] for row in _cells(report)])
    return text.getvalue()


def _cells(report: Report) -> list[tuple[str, ...]]:
    with_pixels = any(row.pixel is not None for row in report.rows)
    header = _IMAGE_COLUMNS + (_PIXEL_COLUMNS if with_pixels else ())
    return [header, *(cells_of(row, with_pixels) for row in report.rows)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad the cells of equally long rows into columns: the first two to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def cells_of(row: ReportRow, with_pixels: bool) -> tuple[str, ...]:
    """Write one row: its name and numbers, the pixel metrics too where the report has any."""
    auroc = number(row.image.auroc)
    if row.auroc_range is not None:
        auroc += f" ({number(row.auroc_range[0])}..{number(row.auroc_range[1])})"
    image = (auroc, number(row.image.average_precision), number(row.image.f1_max))
    counts = (row.image.n_normal, row.image.n_anomalous)
    counted = tuple(str(count) if any(counts) else "–" for count in counts)  # a published row tells no counts
    cells = (row.method, row.group, *counted, *image)
    if not with_pixels:
        return cells
    pixel = row.pixel
    ranking = (pixel.auroc, pixel.average_precision, pixel.f1_max) if pixel is not None else (None, None, None)
    return cells + tuple(number(value) for value in (*ranking, row.pro, row.aupro))


def number(value: float | None) -> str:
    """Write a metric with three decimals, or "n/a" where it does not apply."""
    return "n/a" if value is None else f"{value:.3f}"
