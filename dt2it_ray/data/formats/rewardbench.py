"""How RewardBench is laid out (allenai/reward-bench): Parquet of texts, the better answer first, with a subset."""

from dt2it_ray.data.formats.benchmark import BenchmarkFormat, BenchmarkPair, Row, answer_of, id_of, no_images
from dt2it_ray.data.formats.fields import text_of

NAME = "rewardbench"


def _pair(fields: Row) -> BenchmarkPair:
    return BenchmarkPair(
        item=id_of(fields),
        answers=(answer_of(fields.get("chosen"), "chosen"), answer_of(fields.get("rejected"), "rejected")),
        chosen=0,
        category=text_of(fields, "subset"),
        question=answer_of(fields.get("prompt"), "prompt"),
    )


FORMAT = BenchmarkFormat(
    name=NAME,
    # Only the filtered split is scored; the raw one has 5,123 rows.
    files=(r"data/filtered-\d+-of-\d+\.parquet", r"[^/]*\.jsonl", r"[^/]*\.parquet"),
    pair=_pair,
    item_field="id",
    images=no_images,
    columns=("id", "prompt", "chosen", "rejected", "subset"),
    counts=(2985,),
)
