"""What an ensemble of reward models says: the plain mean of its members' rewards (arXiv 2509.16127)."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.schema import SCORES
from dt2it_ray.errors import StageFailed
from dt2it_ray.stages.stage import GatherStage, NoSettings, Outcome

MEMBERS = "scores/"
"""How the names of the inputs start."""


def mean_scores(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """One row per answer.

    Raises:
        StageFailed: a member has not scored an answer that another one has.
    """
    members = [tables[name] for name in sorted(tables)]
    scores = pa.concat_tables(members).group_by(["answer_id", "prompt_id"])
    mean = scores.aggregate([("score", "mean"), ("score", "count")]).sort_by("answer_id")
    lacking = mean.filter(pc.less(mean["score_count"], len(members)))
    if lacking.num_rows:
        raise StageFailed(
            f"{lacking.num_rows} answers are not scored by every member, first {lacking['answer_id'][0].as_py()}: the "
            "members' steps read other rows, or dropped some; look at their counts"
        )
    columns = {"answer_id": mean["answer_id"], "prompt_id": mean["prompt_id"], "score": mean["score_mean"]}
    return Outcome(pa.table(columns, schema=SCORES))


MEAN_SCORES = GatherStage(
    name="mean_scores", version=1, reads={f"{MEMBERS}*": SCORES}, writes=SCORES, decide=mean_scores
)
