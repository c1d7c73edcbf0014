"""The telephone system that was there before: Kamailio as registrar and proxy of its own extensions, 3XX.

It speaks to the box by one trunk each way. Some of its extensions send their calls on, as users do: ``sent_on`` names
the number at the box that an extension goes to, ``also`` the number that rings together with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

HOST = "127.0.0.4"

CONFIG = """
debug=0
log_stderror=yes
children=2
auto_aliases=no
disable_tcp=yes
listen=udp:{host}:{port}
mpath="{modules}/"
loadmodule "corex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
request_route {{
    if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (!is_method("ACK") || t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    t_check_trans();
    if (is_method("REGISTER")) {{ save("location"); exit; }}
    record_route();
{sent_on}
    if ($rU =~ "^0") {{ {route} }}
    if ($rU =~ "^3") {{
        if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
{also}
    }} else {{ $du = "sip:{box}"; }}
    t_relay();
}}
"""


@contextlib.asynccontextmanager
async def old_pbx(
    folder: Path,
    port: int,
    box: str,
    *,
    sent_on: Mapping[str, str] | None = None,
    also: Mapping[str, str] | None = None,
    route: str = "",
) -> AsyncIterator[None]:
    """Runs until the end. ``route`` is what is done with a number of the provider: empty, it goes to the box."""
    config = configured(folder, port, box, sent_on or {}, also or {}, route)
    # -DD: stays in the foreground and keeps its children in its own group, which ends with it
    command = ("kamailio", "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(folder))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        yield
        assert process.returncode is None, f"kamailio ended by itself: {command}"
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 15)


def configured(
    folder: Path, port: int, box: str, sent_on: Mapping[str, str], also: Mapping[str, str], route: str
) -> Path:
    folder.mkdir()
    config = folder / "kamailio.cfg"
    forwards = "".join(
        f'    if ($rU == "{number}") {{ $rU = "{to}"; $du = "sip:{box}"; t_relay(); exit; }}\n'
        for number, to in sent_on.items()
    )
    together = "".join(
        f'        if ($oU == "{number}") {{ append_branch("sip:{to}@{box}"); }}\n' for number, to in also.items()
    )
    modules = next(Path("/usr/lib").glob("*/kamailio/modules"))
    config.write_text(
        CONFIG.format(
            host=HOST, port=port, box=box, modules=modules, sent_on=forwards, also=together,
            route=route or f'$du = "sip:{box}";',
        ),
        "utf-8",
    )  # fmt: skip
    return config
