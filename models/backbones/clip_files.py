"""The text half and the vision side's projection, out of the state dict of a whole CLIP.

Two layouts are read: OpenAI's, which open_clip keeps (`transformer.resblocks...`), and open_clip's other one, where the
text half stands under `text.`.  Reading the file itself is `models.loading`'s work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from torch import Tensor

from models.backbones.text import ClipTextTower
from models.errors import WeightsError

_WORDS: Final = "token_embedding.weight"
_TABLES: Final = (_WORDS, "positional_embedding", "text_projection")  # what the sizes are read off
_TEXT_PARTS: Final = (*_TABLES, "transformer.", "ln_final.")
_BLOCKS: Final = "transformer.resblocks."
_OTHER_LAYOUT: Final = "text."
_CLIP_VOCABULARY: Final = 49408
_CLIP_HEAD_WIDTH: Final = 64
_ANOTHER_KIND: Final = "The checkpoint's text half is of another kind than CLIP's; give the file of OpenAI's model."


def has_text(state: Mapping[str, Tensor]) -> bool:
    """Whether a checkpoint has a text half at all; whether it is complete shows when it is read."""
    return _WORDS in state or _OTHER_LAYOUT + _WORDS in state


def visual_projection(state: Mapping[str, Tensor]) -> Tensor:
    """The vision side's projection into the space that both sides share: (width, D) float32.

    Raises:
        WeightsError: the checkpoint has none.
    """
    projection = state.get("visual.proj")
    if not isinstance(projection, Tensor) or projection.ndim != 2:
        raise WeightsError(
            "The checkpoint has no visual.proj, which takes pictures to where texts are; give the file of a whole CLIP."
        )
    return projection.detach().float()


def text_tower(
    state: Mapping[str, Tensor], *, quick_gelu: bool = True, head_width: int = _CLIP_HEAD_WIDTH
) -> ClipTextTower:
    """Build the text half of a CLIP with its weights; the sizes are read off the tensors.

    Args:
        state: of the whole CLIP; what is not of the text half is passed over.
        quick_gelu: the activation, which no checkpoint names; OpenAI's models have the quick one.
        head_width: of one attention head, which no checkpoint names either; 64 in every CLIP that was published.
    Raises:
        WeightsError: the text half is missing, incomplete or of another kind; the sentence names what.
    """
    from open_clip.transformer import QuickGELU, TextTransformer

    own = _text_half(state)
    depth = len({name.removeprefix(_BLOCKS).split(".")[0] for name in own if name.startswith(_BLOCKS)})
    if depth == 0:
        _refuse_missing([_BLOCKS + "0"])
    positions, width = own["positional_embedding"].shape
    model = TextTransformer(
        context_length=positions,
        vocab_size=_CLIP_VOCABULARY,
        width=width,
        heads=max(width // head_width, 1),
        layers=depth,
        output_dim=own["text_projection"].shape[1],
        **({"act_layer": QuickGELU} if quick_gelu else {}),
    )
    _refuse_missing([name for name in model.state_dict() if name not in own])
    try:
        model.load_state_dict(own, strict=True)
    except RuntimeError as error:
        raise WeightsError(_ANOTHER_KIND) from error
    return ClipTextTower(model)


def _text_half(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The text half's tensors under OpenAI's names, those that tell the sizes surely among them."""
    prefix = _OTHER_LAYOUT if _OTHER_LAYOUT + _WORDS in state else ""
    stripped = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    own = {name: value for name, value in stripped.items() if name.startswith(_TEXT_PARTS)}
    _refuse_missing([name for name in _TABLES if name not in own])
    if any(own[name].ndim != 2 for name in _TABLES):
        raise WeightsError(_ANOTHER_KIND)
    if len(own[_WORDS]) != _CLIP_VOCABULARY:
        raise WeightsError(
            f"The checkpoint's text half knows {len(own[_WORDS])} words, CLIP's tokenizer {_CLIP_VOCABULARY}; "
            "give the file of OpenAI's model."
        )
    return own


def _refuse_missing(names: list[str]) -> None:
    if not names:
        return
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    raise WeightsError(f"The checkpoint's text half lacks {listed}; give the file of a whole CLIP.")
