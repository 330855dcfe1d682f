"""Options of methods that compare pictures with words: the words, the blend of maps, and how many patches count."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from app.commands.options import positive
from models.errors import ExpectedError
from models.registry import get_preset

if TYPE_CHECKING:
    from models.methods.prompts import PromptSet

OWN_WORDS: Final = "thresholds, where there are any, were calibrated with the head's own words, not with yours"


def add_prompt_options(parser: argparse.ArgumentParser) -> None:
    """Declare --alpha, --top-patches, --object, --normal, --anomalous and --alignment."""
    group = parser.add_argument_group(
        "presets of DA-CLIP and CLIP", "A state holds {} where the object's name goes; 'cracked' means 'cracked {}'."
    )
    group.add_argument("--alpha", type=float, help="share of the refined maps, 0 to 1 (default: the preset's)")
    group.add_argument(
        "--top-patches", type=positive, metavar="COUNT", help="patches that the score averages (default: the preset's)"
    )
    group.add_argument(
        "--object", metavar="NAME", help="what the pictures show, such as 'solar cell' (default: object)"
    )
    group.add_argument(
        "--normal",
        action="append",
        default=[],
        metavar="STATE",
        help="a normal state, such as 'intact {}'; once for each; they replace the paper's",
    )
    group.add_argument(
        "--anomalous",
        action="append",
        default=[],
        metavar="STATE",
        help="likewise an anomalous state, such as '{} with a crack'",
    )
    group.add_argument(
        "--alignment", action="store_true", help="also draw text and picture before and after the head, into --out"
    )


def prompt_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of InspectionConfig that the options ask for: alpha, top_patches and prompts.

    Raises:
        ExpectedError: a value is out of its range, or the preset has no use for it.
    """
    from app.services.alignment import require_text
    from app.services.words import check_fits

    if args.alpha is not None and not 0 <= args.alpha <= 1:
        raise ExpectedError(f"--alpha is {args.alpha:g}; give a share of the refined maps from 0 to 1, such as 0.7.")
    if args.alignment:
        require_text(args.preset)
        if args.out is None:
            raise ExpectedError("--alignment draws a picture beside the result files; say where with --out DIR.")
    given: dict[str, Any] = {"alpha": args.alpha, "top_patches": args.top_patches, "prompts": _prompts(args)}
    check_fits(get_preset(args.preset), **given)
    return given


def _prompts(args: argparse.Namespace) -> PromptSet | None:
    from app.services.words import words_of

    return words_of(args.object, args.normal, args.anomalous)
