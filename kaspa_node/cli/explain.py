"""`kaspa-node explain`: a run of verify as a story."""

from __future__ import annotations

from pathlib import Path

from kaspa_node.errors import RunError, one_line, shown
from kaspa_node.evidence.bundle import BundleError
from kaspa_node.evidence.output import LATEST, story_of

LISTED = 5
"""How many runs an error message lists."""


def explain(evidence: Path, run: str | None) -> str:
    """The story of a run below `evidence`, a numbered line for each of its steps.

    run: its id, the beginning of its id if that is unique, or a directory; None for the newest. Raises RunError.
    """
    directory = find(evidence, run)
    try:
        story = story_of(directory)
    except BundleError as error:
        raise RunError(one_line(str(error))) from None
    lines = [f"Run {one_line(directory.resolve().name)}"]
    lines += [f"{number:2}. {one_line(line)}" for number, line in enumerate(story, start=1)]
    return "\n".join(lines)


def find(evidence: Path, run: str | None) -> Path:
    """The run's directory; RunError says which runs there are."""
    if run is not None and _is_run(Path(run)):
        return Path(run)
    runs = sorted((path.name for path in _children(evidence) if path.name != LATEST and _is_run(path)), reverse=True)
    if not runs:
        place = shown(str(evidence))
        raise RunError(f"no run in {place}: run verify.yml first, or give the directory of its runs: --evidence DIR")
    if run is None or run == LATEST:
        return evidence / LATEST if _is_run(evidence / LATEST) else evidence / runs[0]
    found = [name for name in runs if name == run] or [name for name in runs if run and name.startswith(run)]
    if len(found) == 1:
        return evidence / found[0]
    if found:
        raise RunError(f"{len(found)} runs begin with {shown(run)}: {_some(found)}")
    raise RunError(f"no run {shown(run)} in {shown(str(evidence))}; the newest: {_some(runs)}")


def _children(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"no runs in {shown(str(directory))}: {error.strerror}") from None


def _is_run(path: Path) -> bool:
    """Whether that is a run's directory; the text may have null characters and any length."""
    try:
        return (path / "raw").is_dir() or (path / "report.json").is_file()
    except (OSError, ValueError):
        return False


def _some(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(one_line(name) for name in names[:LISTED]) + more
