"""Tables of a run: every schema can be written and read back, and keys come first."""

from pathlib import Path

import pyarrow as pa
import pytest

from dt2it_ray.data import schema
from dt2it_ray.store.files import Folder

SCHEMAS = {name: value for name, value in vars(schema).items() if isinstance(value, pa.Schema)}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_table_survives_a_file_with_its_exact_types(name: str, tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    table = pa.Table.from_pylist([dict.fromkeys(SCHEMAS[name].names)], schema=SCHEMAS[name])
    folder.write_table("rows.parquet", table)
    assert folder.read_table("rows.parquet") == table
    assert folder.read_table("rows.parquet").schema == SCHEMAS[name]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_first_column_is_a_key_of_text_and_no_column_repeats(name: str) -> None:
    columns = SCHEMAS[name]
    assert columns.field(0).type == pa.string()
    assert columns.names[0] == "key" or columns.names[0].endswith("_id")
    assert len(set(columns.names)) == len(columns.names)


def test_reasons_and_actions_are_spelled_as_they_are_stored() -> None:
    assert {str(reason) for reason in schema.DropReason} == {reason.name.lower() for reason in schema.DropReason}
    assert [str(action) for action in schema.Action] == ["kept", "flipped", "dropped"]
