"""What a first listwise judgement tells: whose answers lack variety; and it stands where no answer was added."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from dt2it_ray.data.answer_tables import NEEDS
from dt2it_ray.data.schema import CANDIDATES, JUDGEMENTS
from dt2it_ray.rules.diversity import Bounds, find_needs
from dt2it_ray.rules.pairing import mean_overalls
from dt2it_ray.settings import Settings
from dt2it_ray.stages.judges import JudgingSettings
from dt2it_ray.stages.stage import GatherStage, NoSettings, Outcome

COUNTED = pa.schema([CANDIDATES.field("prompt_id"), CANDIDATES.field("origins")])


class NeedSettings(Settings):
    """When the answers to a prompt are all good or all bad. arXiv 2604.19544 adds answers then and gives no numbers."""

    high: float = Field(default=7.0, ge=0, le=10)
    """All overalls at least this: worse answers are added. Ours: most criteria at 7 or more is an answer with hardly a
    fault."""
    low: float = Field(default=5.0, ge=0, le=10)
    """All overalls at most this: better answers are added. Ours: an answer that does not do what was asked."""

    @model_validator(mode="after")
    def _leaves_room_between(self) -> "NeedSettings":
        if self.low >= self.high:
            raise ValueError(f"low={self.low:g} must be below high={self.high:g}")
        return self


def decide_needs(tables: Mapping[str, pa.Table], settings: NeedSettings) -> Outcome:
    """What the sampled answers to each prompt lack, by the screening judge."""
    found = find_needs(tables["candidates"], mean_overalls(tables["screen"]), Bounds(settings.high, settings.low))
    counts = {need: pc.sum(pc.equal(found["need"], need)).as_py() or 0 for need in ("worse", "better", "none")}
    return Outcome(found, metrics={**counts, "unscreened": found["highest"].null_count})


def list_enlarged(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """The prompts that got answers beside the sampled ones."""
    now, before = (tables[name].combine_chunks() for name in ("candidates", "sampled"))
    place = pc.index_in(now["prompt_id"], value_set=before["prompt_id"].combine_chunks())
    sizes = (pc.list_value_length(table["origins"]) for table in (now, before.take(place)))
    enlarged = now.filter(pc.not_equal(*sizes)).select(["prompt_id"]).sort_by("prompt_id")
    return Outcome(enlarged, metrics={"prompts": now.num_rows, "enlarged": enlarged.num_rows})


def join_judgements(tables: Mapping[str, pa.Table], settings: JudgingSettings) -> Outcome:
    """All judgements of the judge that screened: the earlier ones where no answer was added, else the later ones."""
    screen, candidates = tables["screen"], tables["candidates"]
    value_sets = (tables["enlarged"]["prompt_id"].combine_chunks(), candidates["prompt_id"].combine_chunks())
    was_enlarged, is_candidate = (pc.is_in(screen["prompt_id"], value_set=values) for values in value_sets)
    stands = screen.filter(pc.and_not(is_candidate, was_enlarged))
    joined = pa.concat_tables([stands, tables["judged"]]).sort_by("judgement_id")
    return Outcome(joined, metrics={"standing": stands.num_rows, "judged_anew": tables["judged"].num_rows})


FIND_NEEDS = GatherStage(
    name="needs",
    version=1,
    reads={
        "candidates": COUNTED,
        "screen": pa.schema([JUDGEMENTS.field("prompt_id"), JUDGEMENTS.field("assessments")]),
    },
    writes=NEEDS,
    decide=decide_needs,
)
LIST_ENLARGED = GatherStage(
    name="enlarged",
    version=1,
    reads={"candidates": COUNTED, "sampled": COUNTED},
    writes=pa.schema([CANDIDATES.field("prompt_id")]),
    decide=list_enlarged,
)
JOIN_JUDGEMENTS = GatherStage(
    name="screened_and_judged",
    version=1,
    reads={"screen": JUDGEMENTS, "judged": JUDGEMENTS, "enlarged": LIST_ENLARGED.writes, "candidates": COUNTED},
    writes=JUDGEMENTS,
    decide=join_judgements,
)
