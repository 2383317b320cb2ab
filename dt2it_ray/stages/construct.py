"""How debiased pairs are made: candidates from one model, two judges, pairs where both agree (arXiv 2604.19544)."""

from pydantic import model_validator

from dt2it_ray.settings import Settings
from dt2it_ray.stages.answer_facts import FactSettings
from dt2it_ray.stages.generate import GenerateSettings
from dt2it_ray.stages.judges import ListwiseSettings, PointwiseSettings
from dt2it_ray.stages.pairs import PairSettings
from dt2it_ray.stages.reliability import ReliabilitySettings
from dt2it_ray.stages.style import StyleProbeSettings


class ConstructSettings(Settings):
    """The steps of the construction of debiased pairs, and what is measured of it."""

    generate: GenerateSettings = GenerateSettings()
    listwise: ListwiseSettings = ListwiseSettings()
    pointwise: PointwiseSettings = PointwiseSettings()
    facts: FactSettings = FactSettings()
    """When two answers to a prompt count as one."""
    pairs: PairSettings = PairSettings()
    reliability: ReliabilitySettings = ReliabilitySettings()
    """How the judges are measured; the models behind them are filled in."""
    style: StyleProbeSettings = StyleProbeSettings()
    """How it is measured whether style tells the labels."""

    @model_validator(mode="after")
    def _has_two_orders_to_compare(self) -> "ConstructSettings":
        if self.pairs.order_consistency == "strict" and self.listwise.orders == 1:
            raise ValueError("pairs.order_consistency: strict compares two orders; set listwise.orders: 2 too")
        return self
