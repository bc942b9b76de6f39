"""What the visitor of the demo reads of themselves."""

from engagement.demo.sentences import describe_event


def test_a_sign_in_is_told_once_though_it_stands_in_the_log_twice() -> None:
    told = [describe_event("$linked", {}), describe_event("$linked", {"seq": 7}), describe_event("$follow", {})]

    assert [one for one in told if one is not None] == ["What you did before you signed in is now yours"]
