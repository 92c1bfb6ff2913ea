"""The labelling configuration of Label Studio in which people answer a task's cases."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from understudy.core.errors import ConflictError, InputError
from understudy.flows.head import Head

ANSWER = "answer"
"""The name of the control that is answered."""

CASE = "case"
"""The name of what is answered: a line of text with the case's id."""

FACTS = "facts"
DIGITS = "1234567890"
NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def labelling_config(head: Head) -> str:
    """The labelling configuration of a task.

    The facts stand in a table in the contract's order, long text below it. The answers stand in the order of the review
    page, under the same digits.

    Parameters
    ----------
    head : Head

    Returns
    -------
    str
        XML, to be pasted into a project's labelling interface.

    Raises
    ------
    ConflictError
        No version tells the answers yet.
    InputError
        An answer or a name cannot be written in XML.
    """
    answers = head.labels
    if head.task.decision.kind == "classification" and not answers:
        raise ConflictError(
            f"No version of {head.name} tells the answers yet.", hint="Make one: understudy run DATA --task NAME"
        )
    view = ET.Element("View")
    add(view, "Header", value=head.task.decision.question)
    add(view, "Text", name=CASE, value=f"${CASE}", selectionEnabled="false")
    add(view, "Table", name=FACTS, value=f"${FACTS}")
    for place, name in text_columns(head).items():
        add(view, "Header", value=name, size="5")
        add(view, "Text", name=place, value=f"${place}", selectionEnabled="false")
    if answers:
        choices = add(view, "Choices", name=ANSWER, toName=CASE, choice="single", required="true")
        for number, answer in enumerate(answers):
            hotkey = {"hotkey": DIGITS[number]} if number < len(DIGITS) else {}
            add(choices, "Choice", value=answer, **hotkey)
    else:
        add(view, "Number", name=ANSWER, toName=CASE, step="any", required="true")
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def add(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    """A further tag, whose attributes are escaped.

    Raises
    ------
    InputError
        An attribute holds a character that XML does not allow.
    """
    for name, value in attributes.items():
        if NO_XML.search(value):
            raise InputError(
                f"The {name} {value[:80]!r} holds a character that XML does not allow.", hint="Rename it in the data."
            )
    return ET.SubElement(parent, tag, attributes)


def text_columns(head: Head) -> dict[str, str]:
    """The columns of long text, by the name under which a task's data has them, in the contract's order."""
    columns = () if head.reader is None else head.reader.contract.used
    texts = [column.name for column in columns if column.kind == "text"]
    return {f"text_{number}": name for number, name in enumerate(texts, 1)}
