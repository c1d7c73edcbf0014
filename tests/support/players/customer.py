# SPDX-License-Identifier: GPL-3.0-or-later
"""A customer who is called back: stands on the provider's side, answers, and does what the script says.

Script: as ``_stack.follow`` has it. Ends on end of file of standard input.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading

from _stack import VoIPPhone, follow, hang_up_quietly, say, start_without_registering


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mine", required=True, help="address:port to be called at")
    parser.add_argument("--box", required=True, help="address:port of the box")
    parser.add_argument("--voice", required=True, help="a headerless mu-law file")
    parser.add_argument("--script", required=True)
    parser.add_argument("--rtp", type=int, required=True, help="first of 40 UDP ports")
    chosen = parser.parse_args()
    box, box_port = chosen.box.rsplit(":", 1)
    mine, my_port = chosen.mine.rsplit(":", 1)

    def rung(call: object) -> None:
        call.answer()
        say("answered")
        follow(call, chosen.script, chosen.voice)
        hang_up_quietly(call)
        say("ended")

    phone = VoIPPhone(
        box, int(box_port), "provider", "", callCallback=rung, myIP=mine, sipPort=int(my_port),
        rtpPortLow=chosen.rtp, rtpPortHigh=chosen.rtp + 40,
    )  # fmt: skip
    start_without_registering(phone)
    say("ready")
    reader = threading.Thread(target=sys.stdin.read, daemon=True)
    reader.start()
    reader.join()
    os._exit(0)  # pyVoIP leaves threads behind that never end


if __name__ == "__main__":
    main()
