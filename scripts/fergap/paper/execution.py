"""Run a document's cells and inline expressions in one fresh Python process."""

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from fergap.errors import UserError
from fergap.paper.qmd import INLINE, Cell, Document

# Inline values are text, so what is not text yet would print otherwise in another engine or numpy version.
SETUP = r"""
def _inline(value):
    if hasattr(value, "_repr_markdown_"):
        text = value._repr_markdown_()
    elif type(value) in (str, int):
        text = __import__("re").sub(r"([\\`*_{}\[\]<>#|~^$@])", r"\\\1", str(value))
    else:
        raise TypeError(f"an inline value must be text, a whole number or Markdown, not {value!r}: format it")
    if "\n" in text.strip():
        raise ValueError(f"an inline value must be one line: {text!r}")
    display({"text/markdown": text}, raw=True)

try:
    import matplotlib, matplotlib_inline.backend_inline as _backend
except ImportError:
    pass
else:
    _backend.set_matplotlib_formats("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "fergap", "svg.fonttype": "path"})
"""


@dataclass
class Results:
    """What the document's code gave: outputs by cell line, inline values by (line of the text, position in it)."""

    outputs: dict[int, list] = field(default_factory=dict)
    inline: dict[tuple[int, int], str] = field(default_factory=dict)


def hidden(source: str, **note: object) -> nbformat.NotebookNode:
    """Return a notebook cell with what it stands for in its metadata."""
    return nbformat.v4.new_code_cell(source, id=f"c{note.get('number', 0)}", metadata={"fergap": note})


def cells_of(document: Document) -> list[nbformat.NotebookNode]:
    """Return the notebook cells of a document in order, an inline expression being a cell of its own."""
    cells = [hidden(SETUP, kind="setup", name="the set-up", line=0, number=0)]
    for part in document.parts:
        if isinstance(part, Cell):
            note = {"kind": "cell", "name": part.name, "line": part.line}
            cells.append(hidden(part.source, number=len(cells), **note))
            continue
        for position, found in enumerate(INLINE.finditer(part.text)):
            line = part.line + part.text.count("\n", 0, found.start())
            name = f"the inline value `{found[2]}`"
            note = {"kind": "inline", "name": name, "line": line, "part": part.line, "position": position}
            cells.append(hidden(f"_inline({found[2]})", number=len(cells), **note))
    return cells


def kernel_manager(folder: Path) -> AsyncKernelManager:
    """Return a manager that starts this very interpreter, whatever kernels the user has registered."""
    spec = folder / "kernels" / "fergap"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"display_name": "fergap", "language": "python", "metadata": {"supported_encryption": ["curve"]}}
    (spec / "kernel.json").write_text(json.dumps({"argv": argv} | about))
    specs = KernelSpecManager(kernel_dirs=[str(spec.parent)], ensure_native_kernel=False)
    return AsyncKernelManager(
        kernel_name="fergap",
        kernel_spec_manager=specs,
        connection_file=str(folder / "connection.json"),
        transport_encryption="auto",
    )


def run(document: Document, folder: Path, scratch: Path, environment: dict[str, str], where: str) -> Results:
    """Run a document's code from top to bottom.

    Parameters
    ----------
    document : Document
        The parsed document.
    folder : Path
        Working folder of the code.
    scratch : Path
        An existing folder for the kernel's own files, outside of ``folder``.
    environment : dict
        Variables of the new process.
    where : str
        What to call the document in a message.

    Raises
    ------
    UserError
        A cell or an inline value fails; its label, line and message are told.
    """
    notebook = nbformat.v4.new_notebook(cells=cells_of(document))
    if len(notebook.cells) == 1:
        return Results()
    own = {
        "IPYTHONDIR": str(scratch / "ipython"),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "0",  # matplotlib's SVG files then carry no time of their making
    }
    client = NotebookClient(
        notebook,
        km=kernel_manager(scratch),
        resources={"metadata": {"path": str(folder)}},
        timeout=600,
        store_widget_state=False,
        record_timing=False,
    )
    ended = signal.getsignal(signal.SIGTERM)
    try:
        client.execute(cleanup_kc=True, env=os.environ | environment | own)
    except (CellExecutionError, DeadKernelError, TimeoutError) as error:
        raise failure(notebook, error, where) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ended)  # nbclient leaves none
    results = Results()
    for cell in notebook.cells:
        note = cell.metadata.fergap
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                print(f"{where}, line {note.line}: {output.text.rstrip()}", file=sys.stderr)
        if note.kind == "cell":
            results.outputs[note.line] = cell.outputs
        elif note.kind == "inline":
            shown = next(o for o in cell.outputs if o.output_type == "display_data")
            results.inline[note.part, note.position] = shown.data["text/markdown"].strip()
    return results


def failure(notebook: nbformat.NotebookNode, error: Exception, where: str) -> UserError:
    """Return the message for the cell that stopped the notebook."""
    for cell in notebook.cells:
        note = cell.metadata.fergap
        for output in cell.outputs:
            if output.output_type == "error":
                print("\n".join(output.traceback), file=sys.stderr)
                return UserError(
                    f"{note.name} fails with {output.ename}: {output.evalue}", where=f"{where}, line {note.line}"
                )
    last = next((c for c in notebook.cells if c.execution_count is None), notebook.cells[-1]).metadata.fergap
    return UserError(f"{last.name} stops its Python process: {error}", where=f"{where}, line {last.line}")
