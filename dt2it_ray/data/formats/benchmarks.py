"""Which benchmarks' file formats are read and written: one module each, with `NAME`, `write` and `read`."""

from types import ModuleType

from dt2it_ray.data.formats import mm_rlhf_rewardbench, multimodal_rewardbench, vl_rewardbench

BENCHMARK_FORMATS: dict[str, ModuleType] = {
    module.NAME: module for module in (vl_rewardbench, multimodal_rewardbench, mm_rlhf_rewardbench)
}
"""The formats of benchmarks by name; rows are BENCHMARK_ROWS."""
