"""Measure the method in the embedded world, where the truth is known.

    python jobs/study.py style --config jobs/configs/style.yaml [key=value...]
    python jobs/study.py ablation [key=value...]
    python jobs/study.py losses --config jobs/configs/losses.yaml [key=value...]

`style`: labels as they came against constructed pairs, by a probe of style and by reward models. `ablation`: how right
labels are after each part of the construction. `losses`: what each loss gains over plain Bradley-Terry. The same
command resumes. Exit codes: 0 done, 1 a step failed, 2 bad usage or config.
"""

import argparse
import sys
from typing import Any

from dt2it_ray.errors import Dt2itError
from dt2it_ray.pipeline.study_ablation import AblationSettings, ablation_table, run_ablation
from dt2it_ray.pipeline.study_losses import LossStudySettings, run_losses
from dt2it_ray.pipeline.study_losses_arms import losses_table
from dt2it_ray.pipeline.study_style import StyleStudySettings, run_style_study, style_table
from dt2it_ray.settings import Settings, load_settings

STUDIES: dict[str, tuple[type[Settings], Any, Any]] = {
    "style": (StyleStudySettings, run_style_study, style_table),
    "ablation": (AblationSettings, run_ablation, ablation_table),
    "losses": (LossStudySettings, run_losses, losses_table),
}


def main() -> int:
    """Exit code of the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--config", help="YAML file of the study's settings")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that replace the file's")
    given = parser.parse_intermixed_args()
    try:
        kind, run, table = STUDIES[given.study]
        print(table(run(load_settings(kind, given.config, given.overrides))))
        print("Scenes, labels and benchmarks are rendered; judges without an engine are simulated annotators.")
    except Dt2itError as error:
        print(f"study: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
