"""The file whose existence means that a step is done."""

import json
from pathlib import Path

import pytest

from dt2it_ray.errors import StoreError
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import MANIFEST, Counts, Manifest, PartFile, read_manifest, write_manifest

MADE = Manifest(
    step="iter-01/score",
    stage="score",
    version=2,
    fingerprint="f00d",
    settings={"decimals": 6, "note": "图"},
    inputs={"rows": "cafe"},
    files=(PartFile("00000.parquet", 3, "ab"), PartFile("00001.parquet", 1, "cd")),
    counts=Counts(rows_in=5, rows_out=4, dropped=1, reasons={"image_missing": 1}),
    metrics={"rows_per_s": 1.5},
    placement={"workers": 2},
    provenance={"commit": None},
)


def test_a_step_is_done_once_its_manifest_is_written(tmp_path: Path) -> None:
    run = Folder(str(tmp_path))
    assert read_manifest(run, MADE.step) is None
    write_manifest(run, MADE)
    assert read_manifest(run, MADE.step) == MADE
    assert run.names(recursive=True) == ["iter-01/score/manifest.json"]


def test_people_can_read_it(tmp_path: Path) -> None:
    write_manifest(Folder(str(tmp_path)), MADE)
    text = (tmp_path / MADE.step / MANIFEST).read_text(encoding="utf-8")
    assert "图" in text
    assert text.count("\n") > 20


def without(field: str) -> str:
    tree = json.loads(MADE.to_json())
    del tree[field]
    return json.dumps(tree)


@pytest.mark.parametrize(
    "text",
    [
        "",
        MADE.to_json()[:-30],
        "[]",
        without("files"),
        without("fingerprint"),
        json.dumps({**json.loads(MADE.to_json()), "extra": 1}),
        json.dumps({**json.loads(MADE.to_json()), "files": [{"name": "a"}]}),
    ],
    ids=["empty", "cut off", "a list", "no files", "no fingerprint", "unknown field", "half a file"],
)
def test_a_damaged_manifest_says_where_and_what_to_do(text: str, tmp_path: Path) -> None:
    run = Folder(str(tmp_path))
    run.write(f"score/{MANIFEST}", text.encode())
    with pytest.raises(StoreError, match=r"score/manifest\.json is not a manifest.*Delete it"):
        read_manifest(run, "score")


def test_bytes_that_are_no_text_are_a_damaged_manifest(tmp_path: Path) -> None:
    run = Folder(str(tmp_path))
    run.write(f"score/{MANIFEST}", b"\xff\xfe")
    with pytest.raises(StoreError, match="not a manifest"):
        read_manifest(run, "score")
