"""A step of training as a CUDA graph, which the device repeats without Python."""

from collections.abc import Callable

import torch

from fergap.training.loop import Training

WARM = 3  # steps before the capture, in which libraries choose their kernels and take their workspace


def captured(training: Training) -> Callable[[], None]:
    """Return a function that takes one step of ``training`` as the replay of a CUDA graph.

    Call it on the stream on which the steps will run, after :meth:`fergap.training.loop.Training.begin` and before
    another one: the steps that it takes to warm up are undone, but the epoch's counters are not.
    """
    before = {name: tensor.clone() for name, tensor in training.tensors().items()}
    for _ in range(WARM):
        training.position.zero_()
        training.step()
    training.position.zero_()
    torch.cuda.synchronize()
    for group in training.optimizer.param_groups:
        if "capturable" in group:  # Adam and AdamW ask to be told
            group["capturable"] = True
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        training.step()
    training.load(before)
    return graph.replay
