"""What tests do with layers whose corrections are kept."""

from __future__ import annotations

from napari_slicewise.widgets.keep_layers import Keeping


def keeping_of(desk):
    return Keeping.of(desk.viewer, desk.panel)


def end(desk):
    """Close a viewer, as if napari were closed."""
    keeping = keeping_of(desk)
    desk.viewer.close()
    keeping.links.release()


def keep(desk, layer):
    keeping = keeping_of(desk)
    keeping.keep(layer)
    desk.wait(lambda: keeping.state_of(layer) and keeping.state_of(layer)[0].kept)
    return keeping.kept(layer)[1]


def wait_for_offer(desk, count=1):
    bar = desk.find("keep_bar")
    desk.wait(lambda: len(bar.offers.offers) == count)
    return bar


def files(folder):
    return sorted(path.name for path in folder.glob("*.journal"))
