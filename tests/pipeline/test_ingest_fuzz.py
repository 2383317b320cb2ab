"""Whatever 10,000 spoilt rows and 1,000 spoilt image files hold, each ends as a row or as a reason."""

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dt2it_ray.data.images import decode
from dt2it_ray.pipeline.ingest_run import run_ingest
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import read_manifest
from tests.data.formats.preferences.test_mutated_rows import ROWS, spoilt
from tests.stages.ingest_files import flat, refused, settings_of, write_lines

SPOILT_ROWS = 10_000
KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
IMAGES_OF_A_KIND = 167


def scratched(content: bytes, draw: random.Random) -> bytes:
    """The bytes with some changed, taken out, doubled, or cut off."""
    spoiled = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(spoiled) + 1)
        end = min(len(spoiled), start + draw.choice((1, 2, 8, 64)))
        action = draw.randrange(5)
        if action == 0:
            del spoiled[start:end]
        elif action == 1:
            spoiled[start:end] = bytes(draw.randrange(256) for _ in range(end - start))
        elif action == 2:
            spoiled[start:start] = spoiled[start:end]
        elif action == 3 and draw.random() < 0.3:
            del spoiled[start:]
        elif start < len(spoiled):
            spoiled[start] ^= 1 << draw.randrange(8)
    return bytes(spoiled)


def ingested_rows(folder: Path) -> list[dict]:
    run = Folder(str(folder))
    manifest = read_manifest(run, "ingested")
    assert manifest is not None
    return read_rows(run, manifest).to_pylist()


@pytest.mark.parametrize("name", ROWS)
def test_a_spoilt_row_is_kept_or_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    draw, number = random.Random(name), SPOILT_ROWS // len(ROWS)
    lines = [json.dumps(ROWS[name], default=lambda value: value.decode("latin-1")).encode()]
    while len(lines) <= number:
        spoiled = json.dumps(spoilt(ROWS[name], draw), default=lambda value: value.decode("latin-1")).encode()
        line = scratched(spoiled, draw) if draw.random() < 0.3 else spoiled
        # A line break would make two rows of it, a blank line none.
        lines.append(line.replace(b"\n", b" ").replace(b"\r", b" ") + b"." * (not line.strip()))
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(lines))
    summary = run_ingest(settings_of(tmp_path, str(tmp_path / "rows.jsonl"), format=name, images="ignore"))
    kept, lost = ingested_rows(tmp_path / "out"), refused(tmp_path)
    assert {row["row"] for row in (*kept, *lost)} == set(range(1, number + 2))
    assert summary["rows_read"] == len(kept) + len(lost)
    assert len(kept) == summary["rows"] > 0
    assert all(row["reason"] and row["field"] and row["detail"] for row in lost)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_spoilt_image_is_one_that_decodes_or_a_reason(tmp_path: Path) -> None:
    draw, rows = random.Random(3), []
    for kind in KINDS:
        for place in range(IMAGES_OF_A_KIND):
            name = f"{kind}-{place}.png"
            (tmp_path / name).write_bytes(scratched(drawn(kind, place), draw) or b"-")
            rows.append(flat(f"What is in {name}?", image_path=name))
    source = write_lines(tmp_path / "rows.jsonl", rows)
    summary = run_ingest(settings_of(tmp_path, source))
    kept, lost = ingested_rows(tmp_path / "out"), refused(tmp_path)
    assert {row["row"] for row in kept} | {row["row"] for row in lost} == set(range(1, len(rows) + 1))
    assert summary["rows_read"] == len(rows) == len(kept) + len(lost) >= 1000
    assert {row["reason"] for row in lost} == {"image_undecodable"}
    assert min(len(kept), len(lost)) > 100
    for row in kept:
        assert decode(row["images"][0]["bytes"]).width >= 1


def drawn(kind: str, seed: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()
