"""The table and the plot of stack.py."""

from __future__ import annotations

import statistics
from pathlib import Path

PEER_COLUMNS = ("MONAI", "bioimageio.core")


def ratios(slow: list[float], fast: list[float]) -> list[float]:
    """Divide round by round."""
    return [a / b for a, b in zip(slow, fast, strict=True)]


def spread(values: list[float]) -> str:
    """Format the median, and the range in brackets."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def table(
    seconds: dict[str, list[float]],
    ready: dict[str, float],
    differ: dict[str, float],
    slices: int,
) -> str:
    """Format a Markdown table; the first contestant is what the others are compared with."""
    base = next(iter(seconds.values()))
    lines = [
        "| | s a slice | times the tutorial's speed | of the bare network | made ready, s "
        "| pixels that differ |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, times in seconds.items():
        bare = seconds.get(f"{name}, bare")
        share = spread(ratios(bare, times)) if bare else ""
        unlike = "" if name.endswith(", bare") else f"{100 * differ[name]:.3f} %"
        lines.append(
            f"| {name} | {statistics.median(times) / slices:.4f} | {spread(ratios(base, times))} "
            f"| {share} | {ready[name]:.1f} | {unlike} |"
        )
    return "\n".join(lines) + "\n\n" + _beside_peers(seconds)


def _beside_peers(seconds: dict[str, list[float]]) -> str:
    """Format how many times as fast ours are as each peer, file to file."""
    peers = [name for name in seconds if name.startswith(PEER_COLUMNS)]
    if not peers:
        return ""
    lines = [f"| times the speed of | {' | '.join(peers)} |", "| --- |" + " --- |" * len(peers)]
    for name, times in seconds.items():
        if f"{name}, bare" in seconds:
            cells = [spread(ratios(seconds[peer], times)) for peer in peers]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(seconds: dict[str, list[float]], title: str, path: Path) -> None:
    """Draw one bar a contestant: times the tutorial's speed, and the range."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    base = next(iter(seconds.values()))
    shown = [name for name in seconds if not name.endswith(", bare")][::-1]
    figure, axes = plt.subplots(figsize=(7, 0.36 * len(shown) + 1.1), layout="constrained")
    for place, name in enumerate(shown):
        values = ratios(base, seconds[name])
        middle = statistics.median(values)
        own = f"{name}, bare" in seconds
        axes.barh(place, middle, color="#2f6f9f" if own else "#b8b8b8")
        axes.plot([min(values), max(values)], [place, place], color="black", linewidth=1)
        axes.text(max(values), place, f"  {middle:.1f}", va="center", fontsize=9)
    axes.set_yticks(range(len(shown)), shown, fontsize=9)
    axes.set_xlabel("times the tutorial's speed, file to file")
    axes.set_title(title, fontsize=9)
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
