"""What is wrong with a checkpoint in the authors' layout is said in one sentence that names all of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.authors_checkpoint import import_checkpoint, read_authors_checkpoint
from models.errors import WeightsError
from models.weights import WeightsLocation
from tests.models.authors_files import WIDTH, random_checkpoint, tiny_place, written


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsLocation:
    """A weights folder with a tiny backbone in the place of DINOv2-L."""
    return tiny_place(tmp_path, monkeypatch, "dinov2-large")


PLAIN = ("anomaly_token", "normal_token", "ln_post_weight", "ln_post_bias")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"anomaly_token": None}, r"missing anomaly_token"),
        ({"anomaly_token": torch.tensor(1.0)}, r"anomaly_token is \(\) instead of \(32,\)"),
        (dict.fromkeys(PLAIN), r"dinov2_vitl14' with width 0"),
        ({"normal_token": None}, r"missing normal_token"),
        ({"normal_token": [1.0]}, r"normal_token is no tensor of real numbers"),
        ({"normal_token": torch.zeros(32, dtype=torch.int64)}, r"normal_token is no tensor of real numbers"),
        ({"normal_token": torch.full((32,), math.nan)}, r"normal_token holds NaN or infinity"),
        ({"ln_post_bias": torch.full((32,), -math.inf)}, r"final_norm.bias holds NaN or infinity"),
        ({"text_features": torch.zeros(3), 7: 1}, r"unexpected 7; unexpected text_features"),
        ({"ln_post_bias": torch.zeros(31)}, r"final_norm.bias is \(31,\) instead of \(32,\)"),
        ({"backbone": "ResNet-50"}, r"was trained on 'ResNet-50' with width 32"),
        ({"backbone": "dinov2_vitl14_reg"}, r"was trained on 'dinov2_vitl14_reg' with width 32"),
        ({"backbone": ["dinov2_vitl14"]}, r"was trained on \['dinov2_vitl14'\] with width 32"),
        ({"features_list": [2, 40]}, r"lists the layers \[2, 40\]; layers of DINOv2 ViT-L/14 are 1 to 4"),
        ({"features_list": None}, r"no VisualAD checkpoint of the authors \(features_list missing\)"),
        ({"image_size": (56, 56)}, r"has the image_size \(56, 56\); it must be a multiple of 14 up to 546"),
        ({"image_size": 57}, r"has the image_size 57"),
        ({"image_size": 560}, r"has the image_size 560"),
        ({"image_size": torch.tensor([56, 56])}, r"has the image_size tensor"),
        ({"transform_type": "kan"}, r"transform_type 'kan'; .*: linear, mlp, mlp_residual, adapter, leaky_relu"),
        ({"transform_type": None}, r"\(transform_type missing\)"),
        ({"transform_type": "adapter"}, r"layer_4.mlp.3.weight is \(32, 32\) instead of \(32, 8\)"),
        ({"transform_type": "linear"}, r"unexpected self_alignment.layer_2.mlp.3.weight"),
        ({"epoch": [2]}, r"epoch is \[2\] instead of a whole number"),
        ({"token_insert_layer": 3}, r"token_insert_layer is 3 instead of 0"),
        ({"layer_transforms": {}}, r"missing self_alignment.layer_2.mlp.0.weight"),
        ({"layer_transforms": [1]}, r"layer_transforms is of type list instead of a table"),
        ({"layer_transforms": {"layer_2": 5}}, r"layer_transforms.layer_2 is of type int instead of a table"),
        ({"cross_attn": 5}, r"cross_attn is of type int instead of a table"),
        ({"cross_attn": {"cross_attention.layer_2.res_scale": 1}}, r"unexpected cross_attn.cross_attention.layer_2"),
        ({"cross_attn_config": {"num_anchors": 4}}, r"has num_anchors 4 where the tensors have 3"),
        ({"cross_attn_config": {"num_anchors": torch.ones(2)}}, r"has num_anchors tensor.* where the tensors have 3"),
        ({"cross_attn_config": [3]}, r"cross_attn_config is of type list instead of a table"),
    ],
)
def test_every_misfit_is_named(where: WeightsLocation, tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    changed = random_checkpoint() | change
    file = written(tmp_path, {name: value for name, value in changed.items() if value is not None})

    with pytest.raises(WeightsError, match=sentence):
        import_checkpoint(file, where)

    assert not (where.weights_dir / "heads").exists()


def test_an_epoch_that_is_none_is_refused(tmp_path: Path, where: WeightsLocation) -> None:
    with pytest.raises(WeightsError, match="epoch is None instead of a whole number"):
        import_checkpoint(written(tmp_path, random_checkpoint() | {"epoch": None}), where)


@pytest.mark.parametrize("queries", [torch.tensor(1.0), torch.zeros(0, WIDTH), torch.zeros(WIDTH)])
def test_anchor_queries_of_any_other_shape_are_named(tmp_path: Path, where: WeightsLocation, queries: Tensor) -> None:
    saved = random_checkpoint()
    saved["cross_attn"]["layer_attentions.layer_2.anchor_queries"] = queries

    with pytest.raises(WeightsError, match=r"layer_2.anchor_queries is \([\d, ]*\) instead of \(4, 32\)"):
        import_checkpoint(written(tmp_path, saved), where)


def test_all_missing_entries_are_named_however_many(tmp_path: Path, where: WeightsLocation) -> None:
    saved = random_checkpoint()
    file = written(tmp_path, saved | {"cross_attn": {}})

    with pytest.raises(WeightsError, match="does not fit VisualAD") as raised:
        import_checkpoint(file, where)

    for name in saved["cross_attn"]:
        assert f"missing {name.replace('layer_attentions', 'cross_attention')};" in str(raised.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("legacy", [False, True])
def test_half_a_file_is_refused(tmp_path: Path, share: float, legacy: bool) -> None:
    file = tmp_path / "other.pth"
    torch.save(random_checkpoint(), file, _use_new_zipfile_serialization=not legacy)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])

    with pytest.raises(WeightsError, match=r"other\.pth cannot be read as a checkpoint"):
        read_authors_checkpoint(file)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code ran",)


@pytest.mark.parametrize("content", [b"", b"no pickle", Evil(), [1, 2]])
def test_a_file_of_another_kind_is_refused_and_none_of_its_code_runs(
    tmp_path: Path, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)

    with pytest.raises(WeightsError, match=r"other\.pth (cannot be read as a checkpoint|holds a list)"):
        read_authors_checkpoint(file)

    assert capsys.readouterr().out == ""
