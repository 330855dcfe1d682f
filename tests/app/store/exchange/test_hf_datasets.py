from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.store.exchange import hf_datasets
from app.store.exchange.exporting import export
from app.store.exchange.hf_datasets import HfDatasetsFormat
from app.store.exchange.marks import png_255
from app.store.workspace import Workspace
from tests.app.store.exchange.odd_workspace import blank, contents, fill, marked, picture, read_all, take_in


def test_a_data_set_of_the_hub_is_read_by_its_label_names_and_masks(tmp_path: Path) -> None:
    mask = blank((5, 7), (1, 1, 3, 4))
    rows = {
        "image": [{"bytes": picture((5, 7), seed), "path": f"{seed}.png"} for seed in range(3)],
        "annotation": [None, {"bytes": png_255(mask), "path": None}, None],
        "label": [1, 0, None],
    }
    noted = {"info": {"features": {"label": {"names": ["defective", "good"], "_type": "ClassLabel"}}}}
    table = pa.table(rows).replace_schema_metadata({"huggingface": json.dumps(noted)})
    pq.write_table(table, tmp_path / "test-00000-of-00001.parquet", row_group_size=2)

    found, refused = read_all(HfDatasetsFormat(), tmp_path)

    assert refused == []
    assert {name: each.label for name, each in found.items()} == {
        "0.png": "normal",
        "1.png": "anomalous",
        "2.png": None,
    }
    assert np.array_equal(marked(found["1.png"]), mask)
    assert found["2.png"].data() == picture((5, 7), 2)


def test_what_the_columns_say_is_enough_where_only_the_parquet_was_kept(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        fill(workspace)
        export(workspace, "hf-datasets", tmp_path / "out")
    (tmp_path / "out/oddity.json").unlink()

    found, refused = read_all(HfDatasetsFormat(), tmp_path / "out")

    assert refused == []
    assert found["checkers.png"].author == "Zoë 0"
    assert [each.name for each in found["checkers.png"].classes] == ["Prüfmuster, groß"]
    assert (found["no ending.png"].label, found["=unmarked.png"].mask) == ("unsure", None)


def test_shards_are_cut_by_size_and_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_datasets, "_GROUP_ROWS", 3)
    monkeypatch.setattr(hf_datasets, "_SHARD_BYTES", 1)
    with Workspace.open(tmp_path / "workspace") as workspace, Workspace.open(tmp_path / "again") as again:
        fill(workspace)
        export(workspace, "hf-datasets", tmp_path / "out")
        take_in(again, HfDatasetsFormat(), tmp_path / "out")
        expected, found = contents(workspace), contents(again)

    assert sorted(path.name for path in (tmp_path / "out/data").iterdir()) == [
        f"train-{number:05d}-of-00006.parquet" for number in range(6)
    ]
    assert found == expected


def test_the_features_are_noted_for_the_hub_and_the_licence_is_left_open(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        fill(workspace)
        export(workspace, "hf-datasets", tmp_path / "out")

    schema = pq.read_schema(tmp_path / "out/data/train-00000-of-00001.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]

    assert features["image"] == features["mask"] == {"_type": "Image"}
    assert features["label"]["names"] == ["normal", "anomalous", "unsure"]
    assert list(features) == schema.names
    assert "# license:" in (tmp_path / "out/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "reason"), [(b"PAR1 and nothing", "no readable Parquet"), (None, "no column with images")]
)
def test_a_file_that_holds_no_images_is_refused(data: bytes | None, reason: str, tmp_path: Path) -> None:
    if data is None:
        pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    else:
        (tmp_path / "a.parquet").write_bytes(data)

    found, refused = read_all(HfDatasetsFormat(), tmp_path)

    assert found == {}
    assert [reason in refusal.why for refusal in refused] == [True]
