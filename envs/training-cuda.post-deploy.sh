# Snakemake runs this in the environment that it has just made, and gives the environment up if it fails.
python - <<'CHECK'
import sys

import torch

if not (torch.version.cuda or torch.version.hip):
    sys.exit(
        f"error: envs/training-cuda.yaml: this PyTorch ({torch.__version__}) is built without CUDA\n"
        "  to go on: make the environment where there is a GPU, or tell conda of the nodes' CUDA by "
        "CONDA_OVERRIDE_CUDA=12.9 in front of snakemake; or set training: device to auto or cpu"
    )
CHECK
