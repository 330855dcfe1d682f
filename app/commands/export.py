"""`python -m app export`: a preset as one ONNX file, checked against torch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.commands.options import add_engine_options, config_from
from models.registry import DEFAULT_PRESET


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--format", choices=("onnx",), default="onnx", help="default: %(default)s")
    parser.add_argument("--preset", default=DEFAULT_PRESET, help="default: %(default)s")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a head instead of the shipped one")
    parser.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file that goes first")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: PRESET.onnx, or PRESET.fp16.onnx")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file and print how far it is from torch.

    Raises:
        ExpectedError: a package for exporting is missing, or the file cannot be written.
        WeightsError: the preset has no weights here.
    """
    from models.loading import load_preset
    from models.onnx_export import describe, export_onnx

    where = config_from(args).location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    model = load_preset(args.preset, where)
    suffix = ".onnx" if args.precision == "fp32" else f".{args.precision}.onnx"
    result = export_onnx(model, args.out or Path(f"{args.preset}{suffix}"), args.precision)
    print(f"{result.path}: {result.size_bytes / 1e6:.1f} MB, {result.precision}")
    print(
        f"largest difference from torch on random images: {result.layer_maps_error:.2g} in layer maps, "
        f"{result.fused_map_error:.2g} in the fused map"
    )
    print(json.dumps(describe(model), indent=1, ensure_ascii=False))
    return 0
