"""Which benchmarks of pairs can be evaluated from their files, by name."""

from dt2it_ray.data.formats import mm_rlhf_rewardbench, multimodal_rewardbench, vl_rewardbench
from dt2it_ray.data.formats.benchmark import BenchmarkFormat

PAIR_BENCHMARKS: dict[str, BenchmarkFormat] = {
    format.name: format for format in (vl_rewardbench.FORMAT, multimodal_rewardbench.FORMAT, mm_rlhf_rewardbench.FORMAT)
}
