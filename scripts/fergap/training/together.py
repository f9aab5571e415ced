"""Several networks in training on one device, in one process."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch

from fergap.errors import UserError
from fergap.training.data import Store
from fergap.training.device import repeatable
from fergap.training.unit import Outcome, Run, Task, Voice


def train_together(tasks: Sequence[Task], voice: Voice) -> list[Outcome]:
    """Train every task and return the outcomes in the same order.

    All networks go through their epochs side by side, each step by step in turn. On a GPU each network's step is one
    CUDA graph and has a stream of its own, so that small networks fill the device together. Where they need more
    memory than there is, the first half is trained before the second, and so on; each goes on from its last epoch. A
    network's numbers do not depend on which others are trained beside it.

    Raises
    ------
    UserError
        A loss is not finite, or a single network needs more memory than there is.
    """
    device = tasks[0].device
    with repeatable(device):
        store = Store(tasks[0].pixels, tasks[0].rows, device.place, device.room())
        if store.resident is None:
            voice.say(f"{len(store.rows)} pictures of {store.shape} stay in their file and are read batch by batch")
        waiting, outcomes = [list(tasks)], []
        while waiting:
            part = waiting.pop(0)
            trained = _train(part, store, voice)
            if trained is not None:
                outcomes += trained
            elif len(part) > 1:
                voice.say(f"memory does not suffice for {len(part)} networks together: half of them at a time")
                waiting[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
            else:
                raise UserError(
                    f"network {part[0].network} needs more memory than {device.name} has free",
                    where=f"arm {part[0].arm}, {part[0].label}",
                    fix="lower the recipe's batch_size, or stop what else uses the device",
                )
    return outcomes


def _train(tasks: Sequence[Task], store: Store, voice: Voice) -> list[Outcome] | None:
    """Train the tasks side by side; None, and all memory free again, where it does not suffice."""
    try:
        return _side_by_side(tasks, store, voice)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    # outside the handler, because the exception holds on to everything that was being computed
    if tasks[0].device.kind == "cuda":
        torch.cuda.empty_cache()
    return None


def out_of_memory(error: BaseException | None) -> bool:
    """Tell whether memory ran out, be it while another error was on its way, as in the capture of a CUDA graph."""
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError):
            return True
        error = error.__context__
    return False


def _side_by_side(tasks: Sequence[Task], store: Store, voice: Voice) -> list[Outcome]:
    places = lanes(tasks)
    runs = []
    for task, lane in zip(tasks, places, strict=True):
        with lane:
            runs.append(Run(task, store, voice, len(tasks)))
    pairs = list(zip(runs, places, strict=True))
    while under_way := [(run, lane) for run, lane in pairs if not run.finished]:
        for run, lane in under_way:
            with lane:
                run.begin()
        for step in range(max(run.training.steps for run, _ in under_way)):
            for run, lane in under_way:
                if step < run.training.steps:
                    with lane:
                        run.advance()
        for run, lane in under_way:
            with lane:
                run.measure()
        for run, lane in under_way:
            with lane:
                run.end()
    outcomes = []
    for run, lane in pairs:
        with lane:
            outcomes.append(run.outcome())
    return outcomes


def lanes(tasks: Sequence[Task]) -> list[AbstractContextManager]:
    """Return where each task's work is queued: on a GPU a stream each, which can be entered again and again."""
    if tasks[0].device.kind != "cuda":
        return [nullcontext()] * len(tasks)
    torch.cuda.synchronize()  # the pictures are there before any stream reads them
    return [torch.cuda.stream(torch.cuda.Stream()) for _ in tasks]
