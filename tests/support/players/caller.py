# SPDX-License-Identifier: GPL-3.0-or-later
"""A customer who rings the business: plays the provider's side of a trunk and follows a script.

Script: as ``_stack.follow`` has it.
"""

from __future__ import annotations

import argparse
import os
import time
import traceback

from _stack import CallState, Ear, VoIPPhone, follow, hang_up_quietly, say, start_without_registering


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--box", required=True, help="address:port of the box")
    parser.add_argument("--mine", required=True, help="address:port to call from")
    parser.add_argument("--caller", required=True)
    parser.add_argument("--number", required=True)
    parser.add_argument("--voice", required=True, help="a headerless mu-law file")
    parser.add_argument("--script", required=True)
    parser.add_argument("--rtp", type=int, required=True, help="first of 20 UDP ports")
    chosen = parser.parse_args()
    box, box_port = chosen.box.rsplit(":", 1)
    mine, my_port = chosen.mine.rsplit(":", 1)
    phone = VoIPPhone(
        box,
        int(box_port),
        chosen.caller,
        "",
        myIP=mine,
        sipPort=int(my_port),
        rtpPortLow=chosen.rtp,
        rtpPortHigh=chosen.rtp + 20,
    )
    start_without_registering(phone)
    code = 1
    try:
        code = ring(phone, chosen.number, chosen.voice, chosen.script)
    except Exception:
        traceback.print_exc()  # the process leaves without Python's own ending, which would have told it
    finally:
        time.sleep(0.3)  # pyVoIP answers the last BYE in a thread of its own
        os._exit(code)  # and leaves threads behind that never end


def ring(phone: VoIPPhone, number: str, voice: str, script: str) -> int:
    call = phone.call(number)
    say("dialled", number=number)
    until = time.monotonic() + 30
    while call.state == CallState.DIALING and time.monotonic() < until:
        time.sleep(0.02)
    if call.state != CallState.ANSWERED:
        say("not_answered", state=str(call.state))
        return 1
    say("answered")
    ear = Ear(call)
    ear.start()
    follow(call, script, voice)
    by = "us" if call.state == CallState.ANSWERED else "box"
    hang_up_quietly(call)
    say("ended", by=by, heard_seconds=round(ear.heard_seconds, 2))
    return 0


if __name__ == "__main__":
    main()
