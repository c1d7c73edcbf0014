"""Files of people as other programs write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from appliance.contacts import plan
from appliance.contacts.book import ContactBook
from appliance.contacts.plan import Step
from appliance.control.wire import Contact

ALI = Contact("علی کریمی", ("+989121234567",), "Ali Karimi", contact="c1")
MINA = Contact("مینا رضایی", ("+989351112233", "+982188111111"), is_vip=True, note="مدیر خرید", contact="c2")
TEHRAN = "21"


class KnownContacts:
    """Who is in the list already, asked as the records are."""

    def __init__(self, *contacts: Contact) -> None:
        self.book = ContactBook(contacts)
        self.asked = 0

    def __call__(self, numbers: Sequence[str]) -> Mapping[str, Contact]:
        self.asked += 1
        return {number: found for number in numbers if (found := self.book.of(number)) is not None}


def steps(content: bytes | str, *known: Contact) -> list[Step]:
    written = content.encode() if isinstance(content, str) else content
    return list(plan.steps(plan.source(written).rows(), KnownContacts(*known), TEHRAN))


def many_rows(count: int) -> Iterator[str]:
    """A table of so many people; every number is another one."""
    yield "نام,شماره همراه,یادداشت"
    for number in range(count):
        yield f"مشتری {number},0912{number:07},ردیف {number}"
