"""Frozen text encoders behind one interface, which can hand every layer's tokens to an adapter.

n texts, T positions, d width.  Layers are counted from 1: layer l is the output of block l.
Building makes random weights and touches no network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from models.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Adapt = Callable[[int, Tensor], Tensor]  # (layer, tokens (n, T, d) behind that layer) -> tokens (n, T, d)

_SPECIAL_TOKENS: Final = 2  # that a tokenizer puts around every text
_SHOWN_CHARACTERS: Final = 60  # of a text inside a message
_BERT_TEXT_LIMIT: Final = 256  # tokens; what all-MiniLM-L6-v2 was trained for


@dataclass(frozen=True, slots=True, eq=False)
class TextTokens:
    """Texts as a tower reads them, padded to the longest of them."""

    ids: Tensor  # (n, T) int64
    mask: Tensor  # (n, T) bool, True = a real token


class TextTower(nn.Module, ABC):
    """A frozen text encoder, always in evaluation mode; what may be trained is the caller's `adapt`."""

    width: int  # d
    depth: int  # layers
    embed_dim: int  # D of what `forward` returns
    max_tokens: int  # that one text may have, its two special ones included

    def tokenize(self, texts: Sequence[str]) -> TextTokens:
        """Turn texts into tokens; none is cut.

        Raises:
            DataError: a text is blank or too long.
            ValueError: there are no texts.
        """
        if not texts:
            raise ValueError("there are no texts to tokenize")
        rows = [self._checked_ids(text) for text in texts]
        longest = max(len(row) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.int64)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = True
        return TextTokens(ids, mask)

    def _checked_ids(self, text: str) -> list[int]:
        ids = self._ids(text)
        if len(ids) <= _SPECIAL_TOKENS:
            raise DataError(
                f"The text {_shown(text)} has no words; write what is to be seen, such as 'a broken object'."
            )
        if len(ids) > self.max_tokens:
            raise DataError(
                f"The text {_shown(text)} is too long: it makes {len(ids)} tokens and this model reads "
                f"{self.max_tokens} at most; shorten it."
            )
        return ids

    @abstractmethod
    def _ids(self, text: str) -> list[int]:
        """The text's tokens, the two special ones around it included."""

    @abstractmethod
    def forward(self, tokens: TextTokens, adapt: Adapt | None = None) -> Tensor:
        """Encode texts.

        Args:
            tokens: from this tower's `tokenize`.
            adapt: called behind every layer; takes each token by itself, as the padding is among them.
        Returns:
            (n, embed_dim), not normalised; gradients of what `adapt` holds pass through the layers behind it.
        """

    def train(self, mode: bool = True) -> TextTower:
        """Stay in evaluation mode, whatever the model around it does."""
        del mode
        super().train(False)
        return self

    def _freeze(self) -> None:
        self.requires_grad_(False)
        self.eval()


class ClipTextTower(TextTower):
    """The text half of an open_clip CLIP: causal attention, pooled at the end-of-text token, projected.

    Padding is shorter than open_clip's: attention is causal, so nothing behind the end-of-text token reaches it.
    """

    attn_mask: Tensor

    def __init__(self, model: Any) -> None:
        """Take over the parts of an `open_clip.CLIP` or of its `TextTransformer`, and freeze them in place."""
        super().__init__()
        pooling = getattr(model, "text_pool_type", None) or model.pool_type
        if pooling != "argmax" or not isinstance(model.text_projection, Tensor):
            raise ValueError("only a CLIP that pools at the end-of-text token and projects without bias is supported")
        self.token_embedding = model.token_embedding
        self.positional_embedding = model.positional_embedding
        self.blocks = model.transformer.resblocks
        self.ln_final = model.ln_final
        self.text_projection = model.text_projection
        self.register_buffer("attn_mask", model.attn_mask, persistent=False)
        self.max_tokens, self.width = self.positional_embedding.shape
        self.depth = len(self.blocks)
        self.embed_dim = self.text_projection.shape[1]
        self._freeze()

    def _ids(self, text: str) -> list[int]:
        tokenizer = _clip_tokenizer()
        start, end = tokenizer.all_special_ids
        words: list[int] = tokenizer.encode(text)
        if start in words or end in words:
            raise DataError(f"The text {_shown(text)} holds one of CLIP's own marks, such as <end_of_text>; remove it.")
        return [start, *words, end]

    def forward(self, tokens: TextTokens, adapt: Adapt | None = None) -> Tensor:
        """Encode texts as open_clip's `encode_text` does; see `TextTower.forward`."""
        ids = tokens.ids.to(self.positional_embedding.device)
        length = ids.shape[1]
        x = self.token_embedding(ids) + self.positional_embedding[:length]
        mask = self.attn_mask[:length, :length]
        for layer, block in enumerate(self.blocks, start=1):
            x = block(x, attn_mask=mask)
            x = x if adapt is None else adapt(layer, x)
        last = tokens.mask.sum(dim=1).to(ids.device) - 1
        pooled = self.ln_final(x[torch.arange(len(x), device=ids.device), last])
        projected: Tensor = pooled @ self.text_projection
        return projected


class BertTextTower(TextTower):
    """BERT with mean pooling, as all-MiniLM-L6-v2 is built; the defaults are its sizes.

    Source:
        Devlin et al., BERT, arXiv:1810.04805; pooling: Reimers and Gurevych, Sentence-BERT, arXiv:1908.10084.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        vocabulary: int = 30522,
        width: int = 384,
        depth: int = 6,
        heads: int = 12,
        mlp_width: int = 1536,
        positions: int = 512,
    ) -> None:
        """Build random weights; the tokenizer is changed in place: it neither pads nor cuts from now on."""
        super().__init__()
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.segments = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, mlp_width, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
            )
            for _ in range(depth)
        )
        self.width = self.embed_dim = width
        self.depth = depth
        self.max_tokens = min(_BERT_TEXT_LIMIT, positions)
        self._freeze()

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text).ids)

    def forward(self, tokens: TextTokens, adapt: Adapt | None = None) -> Tensor:
        """Encode texts to the mean of their tokens; see `TextTower.forward`."""
        device = self.words.weight.device
        ids, mask = tokens.ids.to(device), tokens.mask.to(device)
        x = self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]] + self.segments.weight[0])
        for number, layer in enumerate(self.layers, start=1):
            x = layer(x, src_key_padding_mask=~mask)
            x = x if adapt is None else adapt(number, x)
        weights = mask.unsqueeze(-1).to(x.dtype)
        mean: Tensor = (x * weights).sum(dim=1) / weights.sum(dim=1)
        return mean

    def load_checkpoint(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of a checkpoint with BERT's own names; its pooler, which is not used, is passed over.

        Raises:
            KeyError: a tensor is missing.
            RuntimeError: a tensor has another shape.
        """
        own = {ours: state[theirs] for ours, theirs in _BERT_FRONT.items()}
        for number in range(self.depth):
            own |= _bert_layer(state, f"encoder.layer.{number}.", f"layers.{number}.")
        self.load_state_dict(own, strict=True)


_BERT_FRONT: Final = {
    "words.weight": "embeddings.word_embeddings.weight",
    "positions.weight": "embeddings.position_embeddings.weight",
    "segments.weight": "embeddings.token_type_embeddings.weight",
    "norm.weight": "embeddings.LayerNorm.weight",
    "norm.bias": "embeddings.LayerNorm.bias",
}
_BERT_LAYER: Final = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


def _bert_layer(state: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    own: dict[str, Tensor] = {}
    for part in ("weight", "bias"):
        qkv = [state[f"{theirs}attention.self.{name}.{part}"] for name in ("query", "key", "value")]
        own[f"{ours}self_attn.in_proj_{part}"] = torch.cat(qkv)
        own |= {f"{ours}{a}.{part}": state[f"{theirs}{b}.{part}"] for a, b in _BERT_LAYER.items()}
    return own


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


@cache
def _clip_tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def build_tiny_clip_text(*, embed_dim: int = 32, width: int = 32, depth: int = 3, seed: int = 0) -> ClipTextTower:
    """Build a small random CLIP text tower with CLIP's own tokenizer, for tests; its features mean nothing."""
    from open_clip.transformer import QuickGELU, TextTransformer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TextTransformer(width=width, heads=2, layers=depth, output_dim=embed_dim, act_layer=QuickGELU)
    return ClipTextTower(model)


def build_tiny_bert_text(*, width: int = 24, depth: int = 3, seed: int = 0) -> BertTextTower:
    """Build a small random BERT tower that reads letter by letter, for tests; its features mean nothing."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz0123456789-,."
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BertTextTower(
            tokenizer, vocabulary=len(words), width=width, depth=depth, heads=4, mlp_width=2 * width, positions=128
        )
