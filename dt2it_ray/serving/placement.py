"""How the models of a run are spread over Ray Serve deployments."""

from collections.abc import Mapping

from ray import serve

from dt2it_ray.serving.replica import Ingress, RewardModels
from dt2it_ray.serving.settings import ServeSettings

UNLIMITED = -1


def groups_of(names: list[str], size: int) -> list[list[str]]:
    """The names in their order, cut into groups of `size`; the last one may be smaller."""
    return [names[first : first + size] for first in range(0, len(names), size)]


def build_application(models: Mapping[str, str], settings: ServeSettings, digest: bytes) -> serve.Application:
    """Groups of models, each a deployment, behind one ingress that demands the token of `digest`."""
    groups = groups_of(list(models), settings.models_per_replica)
    deployments = [
        RewardModels.options(
            name=f"models-{index}",
            num_replicas=settings.replicas,
            max_ongoing_requests=settings.max_ongoing_requests,
            # The ingress counts what waits; see Admission.
            max_queued_requests=UNLIMITED,
            # A checkpoint that cannot be loaded will not load a second time either.
            max_constructor_retry_count=1,
            ray_actor_options={"num_cpus": settings.cpus_per_replica, "num_gpus": settings.gpus_per_replica},
        ).bind({name: models[name] for name in group}, settings)
        for index, group in enumerate(groups)
    ]
    # The ingress takes in whatever the groups can hold and some more, so that it is the one to say "queue full".
    room = len(groups) * settings.requests_per_group + settings.max_queued_requests
    ingress = Ingress.options(
        num_replicas=settings.ingress_replicas,
        max_ongoing_requests=room,
        max_queued_requests=UNLIMITED,
        ray_actor_options={"num_cpus": 0},
    )
    group_of = {name: index for index, group in enumerate(groups) for name in group}
    return ingress.bind(deployments, group_of, settings, digest)
