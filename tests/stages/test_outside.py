"""Images of outside rows are opened; a row without any goes on as it is."""

from pathlib import Path

import pyarrow as pa

from dt2it_ray.data.formats.image_refs import image_root
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.stages.outside import open_images
from dt2it_ray.store.files import Folder
from tests.stages.rows import png, prompt_row


def test_images_are_opened_and_a_prompt_whose_images_are_null_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    named = [{"bytes": None, "path": "a.png"}]
    rows = [prompt_row("a", images=named), prompt_row("b", images=None), prompt_row("c", images=[])]
    opened = open_images(pa.Table.from_pylist(rows, schema=PROMPTS), image_root(str(tmp_path), Folder))
    contents = {row["prompt_id"]: [image["bytes"] for image in row["images"]] for row in opened.rows.to_pylist()}
    assert contents == {"a": [png()], "b": [], "c": []}
    assert opened.dropped.num_rows == 0
