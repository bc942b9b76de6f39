"""A full log: what is new, due or one person's is found without reading the rest of it.

Filling takes some seconds: with fewer rows the planner has no reason to read a table whole.
"""

import pytest

from tests.cast import ON_CART, add_to_cart, make_rule, make_template
from tests.filled_log import Reads, fill_log
from tracking.models import Source
from triggers.worker import get_worker


@pytest.mark.parametrize("is_analyzed", [False, True], ids=["without statistics", "with statistics"])
def test_nothing_reads_a_full_log_whole(source: Source, is_analyzed: bool) -> None:
    make_rule("Cart", trigger=ON_CART, template=make_template().pk)
    connection = get_worker().connection
    fill_log(connection, is_analyzed=is_analyzed)
    reads = Reads(connection)

    with reads.watch("a pass of the evaluator"):
        add_to_cart(source)

    assert not reads.whole
