"""Units of work side by side in processes, with one progress bar."""

import multiprocessing
import os
import queue
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event

from fergap.errors import UserError
from fergap.progress import Progress
from fergap.training.together import train_together
from fergap.training.unit import Outcome, Task, Voice


class Stopped(Exception):
    """Another unit failed, so this one was given up."""


class _Line:
    """A worker's connection to the process that started it; set once per worker process, as the pool prescribes."""

    messages: multiprocessing.Queue
    stop: Event


def _start(messages: multiprocessing.Queue, stop: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Line.messages, _Line.stop = messages, stop


def _tick() -> None:
    if _Line.stop.is_set():
        raise Stopped
    # a worker whose parent was killed would go on for hours beside the next run
    if not multiprocessing.parent_process().is_alive():
        os._exit(1)


def _work(task: Task) -> Outcome:
    voice = Voice(
        report=lambda count, note: _Line.messages.put((count, note)),
        say=lambda line: _Line.messages.put((0, line)),
        tick=_tick,
    )
    return train_together([task], voice)[0]


def _show(progress: Progress, count: int, text: str) -> None:
    if count:
        progress.step(count, text)
    else:
        print(text, file=sys.stderr, flush=True)


def train_units(tasks: Sequence[Task], title: str, workers: int) -> list[Outcome]:
    """Train every task and return the outcomes in the same order.

    On the CPU each worker is a process of its own with one thread, which takes one task after the other. On a GPU one
    process trains all tasks together. The numbers do not depend on ``workers``.

    A script that calls this with several workers needs the guard ``if __name__ == "__main__":``.

    Raises
    ------
    UserError
        As :func:`fergap.training.together.train_together`, or a worker was killed from outside.
    """
    on_gpu = tasks[0].device.kind == "cuda"
    workers = 1 if on_gpu else min(workers, len(tasks))
    with Progress(title, sum(t.epochs for t in tasks), "epochs") as progress:
        if workers > 1:
            return _side_by_side(tasks, title, workers, progress)
        voice = Voice(
            report=lambda count, note: _show(progress, count, note),
            say=lambda line: _show(progress, 0, line),
            tick=lambda: None,
        )
        parts = [list(tasks)] if on_gpu else [[task] for task in tasks]
        return [outcome for part in parts for outcome in train_together(part, voice)]


def _side_by_side(tasks: Sequence[Task], title: str, workers: int, progress: Progress) -> list[Outcome]:
    context = multiprocessing.get_context("spawn")
    messages, stop = context.Queue(), context.Event()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(messages, stop)) as pool:
        try:
            futures = [pool.submit(_work, task) for task in tasks]
            pending, failed = set(futures), False
            while pending and not failed:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
                failed = any(f.exception() for f in done)
                while True:
                    try:
                        _show(progress, *messages.get_nowait())
                    except queue.Empty:
                        break
            for future in futures:
                if future.done():
                    future.result()
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process was killed from outside, most often because memory ran out",
                where=title,
                fix="run again (it goes on from the last epoch), with fewer cores if it happens again",
            ) from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
