"""A what-if as one HTML file that needs no network and runs no script, and its one picture as SVG."""

from __future__ import annotations

import re

from jinja2 import Environment
from markupsafe import Markup

from understudy.autonomy.whatif import WhatIf, offers
from understudy.autonomy.whatif_words import conclusion, count, headline, named
from understudy.reports.html import environment
from understudy.reports.whatif_charts import cost_chart, promise_chart, review_chart, side_chart

MOST_SIDES = 6
"""More answers than these are told in tables alone."""

FRAME = 'x="36" y="112" width="928" height="470" preserveAspectRatio="xMidYMin"'
"""Where the picture stands in the file."""


def render_whatif(result: WhatIf) -> str:
    """A what-if as HTML; no row of the data is in it."""
    told = [side for side in result.sides[:MOST_SIDES] if any(at.risk.n for at in side.curve)]
    return (
        templates()
        .get_template("whatif.html.j2")
        .render(
            result=result,
            headline=headline(result),
            conclusion=conclusion(result),
            offers=offers(result),
            promise=Markup(promise_chart(result)) if result.frontier else None,  # noqa: S704  our own drawing
            cost=Markup(cost_chart(result)) if result.frontier else None,  # noqa: S704
            reviews=Markup(review_chart(result)) if result.frontier else None,  # noqa: S704
            sides=[(side, Markup(side_chart(result, side))) for side in told],  # noqa: S704
        )
    )


def templates() -> Environment:
    """The report's templates, with the filters of this page."""
    made = environment()
    made.filters |= {"named": named, "count": count, "hours": hours}
    return made


def hours(value: float) -> str:
    """Hours to the tenth.

    >>> hours(8.4013)
    '8.4'
    """
    return f"{value:,.1f}"


def draw_whatif(result: WhatIf) -> str:
    """The picture of what may be decided, by what is promised, as one SVG file that follows light and dark."""
    picture = promise_chart(result) if result.frontier else ""
    fitted = re.sub(r'width="\d+" height="\d+"', FRAME, picture, count=1)
    page = templates().get_template("whatif.svg.j2")
    return page.render(result=result, headline=headline(result), picture=Markup(fitted))  # noqa: S704  our own drawing
