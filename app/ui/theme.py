"""The page's look: a calm theme on the system's own fonts, and where the style sheets lie."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gradio.themes import Base
from gradio.themes.utils import colors, sizes

_STYLES: Final = Path(__file__).resolve().parents[2] / "assets" / "style"
STYLE_SHEET: Final = _STYLES / "oddity.css"
WORKBENCH_SHEETS: Final = (_STYLES / "editor.css", _STYLES / "workbench.css", _STYLES / "teach.css")

_SANS: Final = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica Neue", "sans-serif")
_MONO: Final = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def workbench_styles() -> str:
    """The style sheets of the workbench and of Teach as markup for the page's head.

    They cannot go the way of STYLE_SHEET: what Gradio takes as css it rewrites, drops container queries with it and
    takes lists in `:is` apart.
    """
    return "".join(f"<style>{sheet.read_text(encoding='utf-8')}</style>" for sheet in WORKBENCH_SHEETS)


def make_theme() -> Base:
    """Teal on slate, for light and dark; names only fonts that the system has, so nothing is fetched."""
    theme = Base(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.slate,
        spacing_size=sizes.spacing_md,
        radius_size=sizes.radius_lg,
        text_size=sizes.text_sm,
        font=_SANS,
        font_mono=_MONO,
    )
    theme.name = "oddity"
    return theme.set(
        body_background_fill="#f5f7f9",
        body_background_fill_dark="#0d131b",
        body_text_color="#1c2733",
        body_text_color_dark="#e3e9ef",
        body_text_color_subdued="#5b6876",
        body_text_color_subdued_dark="#93a1b0",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#141c26",
        background_fill_secondary="#f5f7f9",
        background_fill_secondary_dark="#0f161f",
        block_background_fill="#ffffff",
        block_background_fill_dark="#141c26",
        block_border_color="#e2e8ee",
        block_border_color_dark="#22303e",
        block_border_width="1px",
        block_shadow="0 1px 2px rgb(16 24 40 / 0.04)",
        block_shadow_dark="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*body_text_color_subdued",
        block_label_text_color_dark="*body_text_color_subdued",
        block_title_text_weight="600",
        block_title_text_size="*text_sm",
        block_info_text_size="*text_xs",
        border_color_primary="#e2e8ee",
        border_color_primary_dark="#22303e",
        input_background_fill="#f8fafb",
        input_background_fill_dark="#0f161f",
        input_border_color="#dbe2e9",
        input_border_color_dark="#283645",
        table_odd_background_fill="#ffffff",
        table_odd_background_fill_dark="#141c26",
        table_even_background_fill="#f8fafb",
        table_even_background_fill_dark="#17212c",
        table_border_color="#e2e8ee",
        table_border_color_dark="#22303e",
        layout_gap="12px",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="#eef3f5",
        button_secondary_background_fill_dark="#1a2430",
        button_secondary_background_fill_hover_dark="#22303e",
        button_secondary_border_color="#d5dde5",
        button_secondary_border_color_dark="#2c3b4b",
        button_border_width="1px",
        checkbox_label_background_fill="#f8fafb",
        checkbox_label_background_fill_dark="#0f161f",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="#12312f",
        checkbox_label_border_color_selected="*primary_500",
        checkbox_label_border_color_selected_dark="*primary_500",
        checkbox_background_color_selected="*primary_600",
        checkbox_border_color_selected="*primary_600",
    )
