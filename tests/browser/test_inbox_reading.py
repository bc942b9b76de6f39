"""Reading a Maildir: no browser, no database."""

import os
from email.message import EmailMessage
from pathlib import Path

from engagement.demo.mail_html import MAIL_POLICY, prepare_html
from engagement.demo.maildir import Mail, find_mail, list_mails


def keep_mail(folder: Path, key: str, moment: int, to: str = "ada@example.com", **headers: str) -> Path:
    """Write a mail as the sink does."""
    message = EmailMessage()
    message["To"], message["Subject"] = to, f"Mail {key}"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Words.")
    path = folder / "new" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(message.as_bytes())
    os.utime(path, (moment, moment))
    return path


def is_any(mail: Mail) -> bool:
    """Whether anybody wants the mail: yes."""
    return True


def test_there_is_no_mail_before_the_first_one(tmp_path: Path) -> None:
    assert list_mails(tmp_path / "inbox", is_any) == []


def test_the_newest_mail_comes_first(tmp_path: Path) -> None:
    for key, moment in (("a", 100), ("b", 300), ("c", 200)):
        keep_mail(tmp_path, key, moment)
    assert [mail.key for mail in list_mails(tmp_path, is_any)] == ["b", "c", "a"]
    assert [mail.key for mail in list_mails(tmp_path, is_any, limit=1)] == ["b"]


def test_the_envelope_says_whose_mail_it_is_not_the_header(tmp_path: Path) -> None:
    keep_mail(tmp_path, "a", 100, to="shown@example.com", X_RcptTo="Real@Example.com")
    assert list_mails(tmp_path, is_any)[0].recipients == {"real@example.com"}


def test_a_key_opens_no_file_outside_the_inbox(tmp_path: Path) -> None:
    keep_mail(tmp_path / "inbox", "a", 100)
    keep_mail(tmp_path / "other", "secret", 100)
    for key in ("../../other/new/secret", "../new/a", "/etc/passwd", "", "."):
        assert find_mail(tmp_path / "inbox", is_any, key) is None
    assert find_mail(tmp_path / "inbox", is_any, "a") is not None


def test_a_mail_that_is_not_wanted_is_not_found(tmp_path: Path) -> None:
    keep_mail(tmp_path, "a", 100)
    assert find_mail(tmp_path, lambda mail: "eve@example.com" in mail.recipients, "a") is None


def test_bytes_that_are_no_mail_are_shown_as_well_as_they_can_be(tmp_path: Path) -> None:
    path = keep_mail(tmp_path, "a", 100)
    path.write_bytes(b"Subject: =?utf-8?q?ok?=\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe words")
    mail = list_mails(tmp_path, is_any)[0]
    assert mail.subject == "ok"
    assert "words" in mail.text


def test_links_leave_the_frame_and_the_policy_lets_nothing_in(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("<html><HEAD lang=en><title>x</title></HEAD></html>", subtype="html")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a").write_bytes(message.as_bytes())
    html = prepare_html(list_mails(tmp_path, is_any)[0])
    assert '<HEAD lang=en><base target="_blank"><title>' in html
    assert MAIL_POLICY["default-src"] == ["'none'"]
    assert "script-src" not in MAIL_POLICY
    assert "allow-scripts" not in MAIL_POLICY["sandbox"]
    assert "allow-same-origin" not in MAIL_POLICY["sandbox"]
