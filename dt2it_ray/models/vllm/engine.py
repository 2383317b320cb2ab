"""How vLLM's async engine is started, asked from any thread, given up when it dies, and let go."""

import os
import sys
from collections.abc import Coroutine, Mapping
from concurrent import futures
from typing import Any, TypeVar

from dt2it_ray.errors import StageFailed
from dt2it_ray.models.loop_thread import LoopThread, cut_short
from dt2it_ray.models.vllm.arguments import on_this_platform

AnswerT = TypeVar("AnswerT")
DEAD_EXIT_CODE = 70
"""Of a Ray worker whose engine died (EX_SOFTWARE)."""
LOOK_EVERY_S = 5.0
"""How often a caller that waits looks whether the engine lives."""
OWN_DEFAULTS = {
    # vLLM reports to its makers otherwise.
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
}


class AsyncEngine:
    """One engine with an event loop of its own, in a thread. Coroutines of all callers share it."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        """Start an engine with these fields of vLLM's `AsyncEngineArgs`.

        Raises:
            StageFailed: vLLM is not installed, or cannot run the checkpoint with them.
        """
        for name, value in OWN_DEFAULTS.items():
            os.environ.setdefault(name, value)
        try:
            from vllm.v1.engine.exceptions import EngineDeadError  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise StageFailed(f"kind: vllm needs vLLM ({error}): pip install 'dt2it_ray[gpu]'") from None
        self._dead_error: type[Exception] = EngineDeadError
        self._loop = LoopThread("vLLM")
        self._vllm: Any = None
        try:
            self._vllm = self.run(_start(arguments))
        except Exception as error:
            raise StageFailed(
                f"vLLM cannot run {arguments['model']}: {type(error).__name__}: {error}. Its log above says more."
            ) from error
        finally:
            if self._vllm is None:
                self.close()

    def run(self, work: Coroutine[Any, Any, AnswerT]) -> AnswerT:
        """What the coroutine returns. Several threads may wait at once, and their requests run side by side.

        Raises:
            StageFailed: the engine died, in this call or before. In a Ray worker the process ends instead.
        """
        asked = self._loop.start(work)
        # vLLM tells requests of its end, but not those that came as it ended: they would wait for ever.
        while not futures.wait([asked], timeout=LOOK_EVERY_S).done:
            if self._vllm is not None and self._vllm.errored:
                asked.cancel()
                raise _death()
        try:
            return asked.result()
        except self._dead_error:
            raise _death() from None

    @property
    def tokenizer(self) -> Any:
        """The checkpoint's tokenizer, with its chat template."""
        return self._vllm.renderer.get_tokenizer()

    async def read(self, prompt: Mapping[str, Any]) -> Any:
        """The prompt as the engine takes it: tokens and prepared images.

        Raises:
            VLLMValidationError: vLLM refuses it. ValueError: the image processor does.
        """
        renderer = self._vllm.renderer
        # Chat templates write the special tokens themselves.
        how = renderer.default_cmpl_tok_params.with_kwargs(add_special_tokens=False)
        (ready,) = await renderer.render_cmpl_async([dict(prompt)], how)
        return ready

    async def answer(self, prompt: Any, sampling: Any, key: str) -> Any:
        """vLLM's `RequestOutput` with all answers to a prompt that was read.

        Raises:
            VLLMValidationError: vLLM refuses it. EngineDeadError: see `run`.
        """
        outputs = [output async for output in self._vllm.generate(prompt, sampling, key)]
        return outputs[-1]

    def close(self) -> None:
        """End the engine's processes, which gives its memory back. Closing again does nothing."""
        # vLLM's own tasks would take the end of the engine for its death.
        self._loop.close(cut_short, self._shut_down)

    def _shut_down(self) -> None:
        if self._vllm is not None:
            self._vllm.shutdown()
            self._vllm = None


async def _start(arguments: Mapping[str, Any]) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs  # pyright: ignore[reportMissingImports]
    from vllm.v1.engine.async_llm import AsyncLLM  # pyright: ignore[reportMissingImports]

    return AsyncLLM.from_engine_args(AsyncEngineArgs(**on_this_platform(arguments)))


def _death() -> StageFailed:
    message = (
        "the vLLM engine died; its own log above says of what. Out of memory: lower gpu_memory_utilization or "
        "max_num_seqs. Rows that are done are kept; run again to make the rest."
    )
    if restarted_by_ray():
        print(f"{message} This worker ends, so that Ray starts another one.", file=sys.stderr, flush=True)
        os._exit(DEAD_EXIT_CODE)
    return StageFailed(message)


def restarted_by_ray() -> bool:
    """Whether this process is a Ray worker, which Ray replaces when it ends. A driver that runs as a Ray job has the
    variable too, but another parent."""
    return os.environ.get("RAY_RAYLET_PID") == str(os.getppid())
