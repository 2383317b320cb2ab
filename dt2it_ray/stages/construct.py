"""How debiased pairs are made: candidates from one model, two judges, pairs where both agree (arXiv 2604.19544)."""

from pydantic import model_validator

from dt2it_ray.settings import Settings
from dt2it_ray.stages.answer_facts import FactSettings
from dt2it_ray.stages.diversify import AdditionSettings
from dt2it_ray.stages.generate import GenerateSettings
from dt2it_ray.stages.judges import ListwiseSettings, PointwiseSettings
from dt2it_ray.stages.pairs import PairSettings
from dt2it_ray.stages.reliability import ReliabilitySettings
from dt2it_ray.stages.screening import NeedSettings
from dt2it_ray.stages.style import StyleProbeSettings


class DiversitySettings(Settings):
    """Whether, when and how prompts whose answers are all good or all bad get answers of the other kind."""

    enabled: bool = False
    """Costs a screening by the first listwise judge and the judgement of what is added. arXiv 2604.19544 has it (mean
    accuracy 76.1 to 76.9)."""
    need: NeedSettings = NeedSettings()
    add: AdditionSettings = AdditionSettings()


class ConstructSettings(Settings):
    """The steps of the construction of debiased pairs, and what is measured of it."""

    generate: GenerateSettings = GenerateSettings()
    diversity: DiversitySettings = DiversitySettings()
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
