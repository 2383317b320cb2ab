"""Which benchmarks of pairs can be evaluated from their files, by name; preference rows of any format are one too."""

from dt2it_ray.data.formats import (
    mj_bench,
    mm_rlhf_rewardbench,
    multimodal_rewardbench,
    multimodal_rewardbench_2,
    own_pairs,
    rewardbench,
    rewardbench_2,
    vl_rewardbench,
)
from dt2it_ray.data.formats.benchmark import BenchmarkFormat, BenchmarkPair, Images, OpenImages, Row
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import open_image
from dt2it_ray.data.formats.preference import Preference, PreferenceFormat
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import ConfigError

MODULES = (
    vl_rewardbench,
    multimodal_rewardbench,
    mm_rlhf_rewardbench,
    rewardbench,
    multimodal_rewardbench_2,
    mj_bench,
    own_pairs,
)
PAIR_BENCHMARKS: dict[str, BenchmarkFormat] = {module.NAME: module.FORMAT for module in MODULES}


def benchmark_format(name: str) -> BenchmarkFormat:
    """The benchmark of this name, or rows of preferences in the format of this name.

    Raises:
        ConfigError: there is neither.
    """
    if name in PAIR_BENCHMARKS:
        return PAIR_BENCHMARKS[name]
    if name in PREFERENCE_FORMATS:
        return _of_preferences(PREFERENCE_FORMATS[name])
    known = sorted([*PAIR_BENCHMARKS, rewardbench_2.NAME])
    raise ConfigError(
        f"there is no benchmark {name!r}; choose one of {', '.join(known)}, "
        f"or a format of preference rows: {', '.join(sorted(PREFERENCE_FORMATS))}"
    )


def _of_preferences(format: PreferenceFormat) -> BenchmarkFormat:
    def only(fields: Row) -> Preference:
        said = format.parse(fields)
        if len(said) != 1:
            problem = f"it says {len(said)} preferences, not one; ingest the file and evaluate on its pairs"
            raise RowRefused(DropReason.FIELD_INVALID, "whole row", problem)
        return said[0]

    def pair(fields: Row) -> BenchmarkPair:
        said = only(fields)
        return BenchmarkPair(
            item=said.item or "",
            answers=(said.chosen, said.rejected),
            chosen=0,
            category=said.category or said.source or "",
            question=said.question,
            strength=said.strength,
            history=said.history,
        )

    def images(files: Files) -> OpenImages:
        def opened(fields: Row) -> Images:
            return [open_image(image, files) for image in only(fields).images]

        return opened

    kinds = (r"[^/]*\.jsonl", r"(?:data/)?[^/]*\.parquet", r"[^/]*\.json")
    return BenchmarkFormat(name=format.name, files=kinds, pair=pair, images=images)
