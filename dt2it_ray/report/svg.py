"""How pictures are written as text: SVG elements whose attributes and words are always escaped."""

from markupsafe import Markup, escape


def tag(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """One element. `stroke_width` becomes `stroke-width`, `class_` becomes `class`; None leaves an attribute out."""
    written = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _plain(value))
        for key, value in attributes.items()
        if value is not None
    ]
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup("").join(written), inside)


def picture(width: float, height: float, description: str, *children: str, class_: str = "") -> Markup:
    """A drawing that scales with its column and tells screen readers what it shows."""
    return tag(
        "svg",
        tag("title", description),
        *children,
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        role="img",
        aria_label=description,
        class_=class_ or None,
    )


def text(x: float, y: float, words: str, class_: str = "", anchor: str = "start") -> Markup:
    """Words whose baseline starts, centres or ends at a point."""
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=class_ or None)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line; its class gives the colour."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
