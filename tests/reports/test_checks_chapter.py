"""The chapter on the checks says first what keeps a version out, and who let it in all the same."""

import msgspec

from understudy.core.nouns import Check, Override
from understudy.reports.chapter import Chapter, Table, Text
from understudy.reports.chapters.checks import checks_chapter

PASSED = Check(code="US001", name="Beats today's baseline", verdict="pass", detail="Better by 0.1.")
WARNED = Check(
    code="US025", name="Licence", verdict="warn", detail="None is said.", severity="warning", advice="Say one"
)
FAILED = Check(code="US003", name="No leak", verdict="fail", detail="It uses status.", advice="Take status out")
NOTED = Check(code="US023", name="Fast enough", verdict="pass", detail="No limit.", severity="note")
MADE = Override(version="ab" * 32, check=FAILED, actor="ann", reason="Known before.", at=1_700_000_000_000_000)


def rows(chapter: Chapter) -> list[tuple[object, ...]]:
    return [row for part in chapter.parts if isinstance(part, Table) for row in part.rows]


def test_what_failed_comes_first_then_what_warns_then_what_passed_then_notes() -> None:
    chapter = checks_chapter((PASSED, NOTED, WARNED, FAILED))
    assert [row[0] for row in rows(chapter)] == ["US003", "US025", "US001", "US023"]
    assert rows(chapter)[0] == (
        "US003", "No leak", "✕ failed", "keeps it out", "It uses status.", "Take status out",
    )  # fmt: skip
    assert chapter.anchor == "checks"
    assert chapter.lede == "1 of 4 checks failed and kept it out of shadow: US003 (No leak). One warns: US025."
    assert msgspec.json.decode(msgspec.json.encode(chapter), type=Chapter) == chapter


def test_an_override_is_named_with_who_and_why() -> None:
    chapter = checks_chapter((PASSED, FAILED), (MADE,))
    assert chapter.lede == "It watches because ann overrode what failed: US003 (No leak)."
    assert rows(chapter)[0][2] == "✕ failed, overridden by ann"
    said = [part.text for part in chapter.parts if isinstance(part, Text)]
    assert said[0] == "US003 No leak failed: It uses status. Overridden by ann on 2023-11-14: Known before."


def test_one_override_does_not_excuse_another_failure() -> None:
    other = msgspec.structs.replace(FAILED, code="US022", name="Answers what it must")
    chapter = checks_chapter((FAILED, other), (MADE,))
    assert chapter.lede.startswith("1 of 2 checks failed and kept it out of shadow: US022")


def test_where_nothing_failed_it_says_so() -> None:
    assert checks_chapter((PASSED,)).lede == "None of its 1 checks keeps it out."
    two = (WARNED, msgspec.structs.replace(WARNED, code="US027"))
    assert checks_chapter(two).lede == "None of its 2 checks keeps it out. 2 warn: US025, US027."
    assert rows(checks_chapter(())) == []
