"""Ends legs that another process left up: all that is known of them is a LegKey (DECISIONS 26)."""

from __future__ import annotations

from typing import Protocol

from appliance.signalling import dialogs
from appliance.signalling import headers as h
from appliance.signalling.established import Established
from appliance.signalling.ground import Ground, Side, answer_to, branch, stamped
from appliance.signalling.port import Cause, FromPhone, LegKey
from appliance.signalling.transactions import LIFE, Client, Peer
from appliance.signalling.wire import Headers, Request, Response

CSEQ_AHEAD = 1_000  # the dead process may have sent requests that were not kept


class _Heart(Ground, Protocol):
    """A Ground; named so that a reader sees who calls."""


def end_orphan(ground: _Heart, key: LegKey, now: float) -> None:
    """BYE for a call that stood, CANCEL for one we were ringing, 480 for one that rang here."""
    peer = Peer(key.transport, key.destination)
    host, port = _host_and_port(key.contact)
    side = Side(FromPhone(""), key.contact, (host, port), host, "PCMA", peer)
    if key.is_confirmed:
        leg = Established(ground, key.leg, side, peer, key.is_ours)
        leg.dialog = _dialog(key, key.route)
        leg.dialog.local_cseq = key.cseq + CSEQ_AHEAD
        leg.bye(now)
    elif key.is_ours:
        _cancel(ground, key, side, peer, now)
    else:
        _refuse(ground, key, peer)


def _dialog(key: LegKey, route: tuple[str, ...]) -> dialogs.Dialog:
    return dialogs.Dialog(
        call_id=key.call_id,
        local=key.local_uri,
        remote=key.remote_uri,
        local_tag=key.local_tag,
        remote_tag=key.remote_tag,
        target=key.target,
        route=route,
        local_cseq=key.cseq,
    )


def _cancel(ground: _Heart, key: LegKey, side: Side, peer: Peer, now: float) -> None:
    """The INVITE's transaction is taken up again as ringing, so that its 487 is acknowledged and a late 200 ended."""
    invite = stamped(_dialog(key, ()).request("INVITE", key.cseq), side, key.branch, peer.transport)

    def heard(client: Client, response: Response, then: float) -> None:
        if 200 <= response.code < 300:
            _end_late(ground, key, side, peer, client, response, then)

    client = ground.transactions.resume(invite, peer, key.branch, heard, lambda _client, _then: None)
    client.give_up_in(LIFE, now)
    headers = Headers([(name, value) for name, value in invite.headers if name in _CANCEL_COPIES])
    headers.add("cseq", f"{key.cseq} CANCEL")
    request = Request("CANCEL", invite.uri, headers)
    ground.transactions.ask(request, peer, key.branch, lambda _c, _r, _t: None, lambda _c, _t: None, now)


_CANCEL_COPIES = frozenset({"via", "route", "max-forwards", "from", "to", "call-id"})


def _end_late(
    ground: _Heart, key: LegKey, side: Side, peer: Peer, client: Client, response: Response, now: float
) -> None:
    try:
        dialog = dialogs.as_client(client.request, response)
    except ValueError:
        return
    ack = stamped(dialog.request("ACK", key.cseq), side, branch(ground), peer.transport, with_contact=False)
    ground.transactions.send(ack.encode(), peer)
    leg = Established(ground, key.leg, side, peer, is_ours=True)
    leg.dialog = dialog
    leg.bye(now, f'SIP;cause=487;text="{Cause.ORPHAN}"')


def _refuse(ground: _Heart, key: LegKey, peer: Peer) -> None:
    """A final answer from what was kept of the request; the transaction that asked died with its process."""
    headers = Headers([("via", via) for via in key.route])
    headers.add("from", key.remote_uri)
    headers.add("to", key.local_uri)
    headers.add("call-id", key.call_id)
    headers.add("cseq", f"{key.cseq} INVITE")
    ground.transactions.send(answer_to(Request("INVITE", key.target, headers), 480, key.local_tag).encode(), peer)


def _host_and_port(contact: str) -> tuple[str, int]:
    uri = h.parse_uri(contact)
    return uri.host, uri.port or h.DEFAULT_PORT
