"""Takes a call that came in: agrees on a codec and answers, whoever made the offer (RFC 3264)."""

from __future__ import annotations

from appliance.calls.conversation import Conversation, Trouble
from appliance.signalling import port as signalling
from appliance.signalling import sdp

CONFIRM_SECONDS = 33.0  # signalling ends a leg whose ACK never comes after 32 s


def check_codecs(conversation: Conversation, offered: signalling.Offered) -> None:
    """488 before anything else where there is no common codec (RFC 3264, 6)."""
    if offered.sdp is not None and sdp.answer(offered.sdp, "", 9, conversation.law) is None:
        raise Trouble(488, "no common codec")


async def answer(conversation: Conversation, offered: signalling.Offered) -> bool:
    """Answers the customer's leg, whose port is open; False where it was answered already."""
    customer = conversation.customer
    if customer.is_answered:
        return False
    number = int(customer.leg[:12], 16)
    if offered.sdp is None:
        local = sdp.offer("", customer.port, conversation.law, number)
        conversation.office.line.submit(signalling.Answer(customer.leg, local))
        remote = await _late_answer(conversation)
    else:
        remote = offered.sdp
        chosen = sdp.answer(remote, "", customer.port, conversation.law, session_id=number)
        if chosen is None:
            raise Trouble(488, "no common codec")
        local = chosen
        conversation.office.line.submit(signalling.Answer(customer.leg, local))
    if not conversation.agree(customer, local, remote):
        raise Trouble(488, "no common codec")
    assert customer.agreed is not None
    conversation.law = customer.agreed.law
    conversation.answered(customer)
    return True


async def _late_answer(conversation: Conversation) -> sdp.Description:
    """The description in the ACK, where ours was the offer."""
    deadline = conversation.office.clock.monotonic() + CONFIRM_SECONDS
    while True:
        match await conversation.next(deadline):
            case signalling.Confirmed(_, description) if description is not None:
                return description
            case signalling.Confirmed() | None:
                raise Trouble(488, "no answer to our offer")
            case _:
                continue
