"""Every layout on a small tree of the same form: who is normal, who is anomalous, and where the masks are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from app.cli import main
from models.data.datasets import LAYOUTS, read_dataset
from models.errors import DataError

Row = tuple[str, str, str, str, str | None]  # path, class, split, defect or "", mask


def draw(root: Path, *names: str, marked: bool = True) -> None:
    """Small pictures; a marked one has a white pixel, so that as a mask it is not empty."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.new("L", (4, 4))
        if marked:
            picture.putpixel((1, 1), 255)
        picture.save(path)


def rows(root: Path, layout: str) -> list[Row]:
    def name(path: Path | None) -> str | None:
        return None if path is None else path.relative_to(root).as_posix()

    found = read_dataset(root, layout).samples
    assert all(sample.is_anomalous == (sample.defect != "") for sample in found)
    return sorted((str(name(s.path)), s.class_name, s.split, s.defect, name(s.mask_path)) for s in found)


def mvtec(root: Path) -> list[Row]:
    draw(root, "nut/train/good/000.png", "nut/test/good/000.png", "nut/test/crack/000.png", "nut/test/odd [1]/7.png")
    draw(root, "nut/ground_truth/crack/000_mask.png", "nut/ground_truth/odd [1]/7_mask.png", "readme/logo.png")
    return [
        ("nut/test/crack/000.png", "nut", "test", "crack", "nut/ground_truth/crack/000_mask.png"),
        ("nut/test/good/000.png", "nut", "test", "", None),
        ("nut/test/odd [1]/7.png", "nut", "test", "odd [1]", "nut/ground_truth/odd [1]/7_mask.png"),
        ("nut/train/good/000.png", "nut", "train", "", None),
    ]


def btad(root: Path) -> list[Row]:
    draw(root, "01/train/ok/0001.bmp", "01/test/ok/0002.bmp", "01/test/ko/0003.bmp", "01/ground_truth/ko/0003.png")
    return [
        ("01/test/ko/0003.bmp", "01", "test", "ko", "01/ground_truth/ko/0003.png"),
        ("01/test/ok/0002.bmp", "01", "test", "", None),
        ("01/train/ok/0001.bmp", "01", "train", "", None),
    ]


def meta_json(root: Path) -> list[Row]:
    draw(root, "a/1.png", "a/2.png", "a/2m.png")
    normal = {"img_path": "a/1.png", "mask_path": "", "cls_name": "a", "specie_name": "good", "anomaly": 0}
    odd = {"img_path": "a/2.png", "mask_path": "a/2m.png", "cls_name": "a", "specie_name": "hole", "anomaly": 1}
    (root / "meta.json").write_text(json.dumps({"train": {"a": [normal]}, "test": {"a": [odd]}}))
    return [("a/1.png", "a", "train", "", None), ("a/2.png", "a", "test", "hole", "a/2m.png")]


def visa(root: Path) -> list[Row]:
    draw(root, "pcb/Data/Images/Normal/0.JPG", "pcb/Data/Images/Anomaly/0.JPG", "pcb/Data/Masks/Anomaly/0.png")
    (root / "split_csv").mkdir()
    (root / "split_csv" / "1cls.csv").write_text(
        "object,split,label,image,mask\n"
        "pcb,train,normal,pcb/Data/Images/Normal/0.JPG,\n"
        "pcb,test,anomaly,pcb/Data/Images/Anomaly/0.JPG,pcb/Data/Masks/Anomaly/0.png\n"
    )
    return [
        ("pcb/Data/Images/Anomaly/0.JPG", "pcb", "test", "anomaly", "pcb/Data/Masks/Anomaly/0.png"),
        ("pcb/Data/Images/Normal/0.JPG", "pcb", "train", "", None),
    ]


def flat(root: Path) -> list[Row]:
    draw(root, "good/a.png", "bad/b.png", "bad/c.png", "ground_truth/b_mask.png", "ground_truth/bad/c.png")
    name = root.name
    return [
        ("bad/b.png", name, "test", "anomaly", "ground_truth/b_mask.png"),
        ("bad/c.png", name, "test", "anomaly", "ground_truth/bad/c.png"),
        ("good/a.png", name, "test", "", None),
    ]


def ksdd2(root: Path) -> list[Row]:
    draw(root, "test/10.png", "test/11.png", "test/12.png", "train/20.png", "train/21.png", "test/11_GT.png")
    draw(root, "train/20_GT.png")
    draw(root, "test/10_GT.png", "test/12_GT.png", "train/21_GT.png", marked=False)
    # Two anomalous (11, 20), so two of the three normal ones: 10 and 12 come before 21.
    return [
        ("test/10.png", "ksdd2", "test", "", None),
        ("test/11.png", "ksdd2", "test", "defect", "test/11_GT.png"),
        ("test/12.png", "ksdd2", "test", "", None),
        ("train/20.png", "ksdd2", "test", "defect", "train/20_GT.png"),
    ]


def dagm(root: Path) -> list[Row]:
    draw(root, "Class1/Train/0001.PNG", "Class1/Test/0002.PNG", "Class1/Test/0003.PNG")
    draw(root, "Class1/Test/Label/0003_label.PNG")
    return [
        ("Class1/Test/0002.PNG", "Class1", "test", "", None),
        ("Class1/Test/0003.PNG", "Class1", "test", "defect", "Class1/Test/Label/0003_label.PNG"),
        ("Class1/Train/0001.PNG", "Class1", "train", "", None),
    ]


def oct17(root: Path) -> list[Row]:
    draw(root, "train/NORMAL/a.jpeg", "test/NORMAL/b.jpeg", "test/CNV/c.jpeg", "test/DME/d.jpeg")
    return [
        ("test/CNV/c.jpeg", "oct17", "test", "CNV", None),
        ("test/DME/d.jpeg", "oct17", "test", "DME", None),
        ("test/NORMAL/b.jpeg", "oct17", "test", "", None),
        ("train/NORMAL/a.jpeg", "oct17", "train", "", None),
    ]


def yes_no(root: Path) -> list[Row]:
    draw(root, "no/1.jpg", "yes/Y1.jpg")
    return [("no/1.jpg", root.name, "test", "", None), ("yes/Y1.jpg", root.name, "test", "tumour", None)]


def headct(root: Path) -> list[Row]:
    draw(root, "head_ct/head_ct/000.png", "head_ct/head_ct/001.png")
    (root / "labels.csv").write_text("id, hemorrhage\n0,1\n1,0\n")
    return [
        ("head_ct/head_ct/000.png", "headct", "test", "haemorrhage", None),
        ("head_ct/head_ct/001.png", "headct", "test", "", None),
    ]


def bmad(root: Path) -> list[Row]:
    draw(root, "train/good/1.png", "test/good/img/2.png", "test/Ungood/img/3.png", "test/Ungood/label/3.png")
    return [
        ("test/Ungood/img/3.png", root.name, "test", "anomaly", "test/Ungood/label/3.png"),
        ("test/good/img/2.png", root.name, "test", "", None),
        ("train/good/1.png", root.name, "train", "", None),
    ]


def clinicdb(root: Path) -> list[Row]:
    draw(root, "Original/1.tif", "Ground Truth/1.tif")
    return [("Original/1.tif", root.name, "test", "anomaly", "Ground Truth/1.tif")]


def images_and_masks(root: Path) -> list[Row]:
    draw(root, "images/x.jpg", "masks/x.jpg")
    return [("images/x.jpg", root.name, "test", "anomaly", "masks/x.jpg")]


def isic(root: Path) -> list[Row]:
    draw(root, "Test_Data/ISIC_3.jpg", "Test_GroundTruth/ISIC_3_Segmentation.png")
    return [("Test_Data/ISIC_3.jpg", root.name, "test", "anomaly", "Test_GroundTruth/ISIC_3_Segmentation.png")]


TREES: dict[str, Callable[[Path], list[Row]]] = {
    "mvtec": mvtec, "mvtec-ad": mvtec, "mpdd": mvtec, "dtd-synthetic": mvtec, "btad": btad, "meta-json": meta_json,
    "visa": visa, "flat": flat, "ksdd2": ksdd2, "dagm": dagm, "oct17": oct17, "brainmri": yes_no, "br35h": yes_no,
    "headct": headct, "brain-ad": bmad, "his": bmad, "cvc-clinicdb": clinicdb, "endo": images_and_masks,
    "kvasir": images_and_masks, "isic": isic, "msd": images_and_masks,
}  # fmt: skip


def test_every_layout_has_a_tree_here() -> None:
    assert set(TREES) == set(LAYOUTS)


@pytest.mark.parametrize("layout", TREES)
def test_a_layout_is_read_as_it_is_published(tmp_path: Path, layout: str) -> None:
    expected = TREES[layout](tmp_path)

    assert rows(tmp_path, layout) == sorted(expected)


@pytest.mark.parametrize("layout", sorted(set(TREES) - {"ksdd2"}))
def test_a_layout_is_found_out_without_being_named(tmp_path: Path, layout: str) -> None:
    expected = TREES[layout](tmp_path)

    found = rows(tmp_path, "auto")

    assert [row[0] for row in found] == [row[0] for row in sorted(expected)]
    assert [row[3] != "" for row in found] == [row[3] != "" for row in sorted(expected)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_folder_says_which_path_is_missing_or_what_is_expected(tmp_path: Path, layout: str) -> None:
    with pytest.raises(DataError, match="is missing; check that this is the set's own, unpacked folder"):
        read_dataset(tmp_path, layout)


def test_a_folder_of_no_known_layout_says_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"of no known layout: it has no CLASS/test/DEFECT, no meta\.json"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("layout", "gone", "sentence"),
    [
        ("visa", "pcb/Data/Images/Normal/0.JPG", r"0\.JPG is missing, but .* lists it"),
        ("meta-json", "a/2m.png", r"The mask .*2m\.png is missing"),
        ("endo", "masks/x.jpg", r"x\.jpg has no mask in"),
        ("headct", "head_ct/head_ct/001.png", r"001\.png is missing"),
        ("ksdd2", "test/12_GT.png", r"12_GT\.png is missing"),
    ],
)
def test_a_file_that_is_gone_is_named(tmp_path: Path, layout: str, gone: str, sentence: str) -> None:
    TREES[layout](tmp_path)
    (tmp_path / gone).unlink()

    with pytest.raises(DataError, match=sentence):
        read_dataset(tmp_path, layout)


@pytest.mark.parametrize("climbing", ["../outside.png", "/etc/hostname"])
def test_a_table_cannot_name_files_outside_its_folder(tmp_path: Path, climbing: str) -> None:
    entry = {"img_path": climbing, "mask_path": "", "anomaly": 0}
    (tmp_path / "meta.json").write_text(json.dumps({"test": {"a": [entry]}}))

    with pytest.raises(DataError, match="leads out of"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{", '{"test": {"a": [{"img_path": "x.png"}]}}', '{"test": {"a": [3]}}'])
def test_a_broken_meta_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "meta.json").write_text(content)

    with pytest.raises(DataError, match=r"meta\.json is not of the usual form"):
        read_dataset(tmp_path)


def test_a_part_of_a_set_is_had_by_class_and_split(tmp_path: Path) -> None:
    mvtec(tmp_path)
    draw(tmp_path, "bolt/test/good/1.png")
    found = read_dataset(tmp_path)

    assert found.class_names == ("bolt", "nut")
    assert len(found.of(split="test").samples) == 4
    assert [sample.class_name for sample in found.of(class_names=["bolt"]).samples] == ["bolt"]
    with pytest.raises(DataError, match=r"has no class screw; choose among bolt, nut\."):
        found.of(class_names=["screw"])


def test_the_command_counts_per_class_and_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "mine"
    mvtec(root)

    assert main(["data", "check", str(root)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "mvtec:mine: 4 pictures, 1 classes",
        "class  split   normal  anomalous  with mask",
        "nut    test         1          2          2",
        "nut    train        1          0          0",
    ]
