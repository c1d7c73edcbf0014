"""Reference for cost only: one thread, epoll and 20 ms tick, both directions recorded and sealed, VAD; a few lines of SIP so that loadgen can drive it.

Use: reference_engine.py PORT OUT.json, then loadgen; stop with SIGINT. Not product code: no checks, no jitter, no source rule."""

import audioop
import json
import os
import random
import re
import resource
import select
import signal
import socket
import struct
import sys
import time

import webrtcvad
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PORT = int(sys.argv[1])
OUT = sys.argv[2]
os.makedirs("rec", exist_ok=True)
import math

pcm = b"".join(
    struct.pack("<h", int(9000 * math.sin(2 * math.pi * (440 if (i // 4000) % 2 == 0 else 660) * i / 8000)))
    for i in range(32000)
)
PROMPT = audioop.lin2ulaw(pcm, 2)
NF = len(PROMPT) // 160
FR = [PROMPT[i * 160 : (i + 1) * 160] for i in range(NF)]
sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sip.bind(("127.0.0.1", PORT))
sip.setblocking(False)
sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
ep = select.epoll()
ep.register(sip.fileno(), select.EPOLLIN)
calls = {}
byfd = {}
nextport = [PORT + 1000]
tot = dict(calls=0, call_seconds=0.0, dtmf=0, voiced=0, frames=0, rec_bytes=0, late=0)


class Call:
    __slots__ = (
        "aes",
        "dst",
        "f",
        "fd",
        "hdr",
        "last",
        "n",
        "nonce",
        "phase",
        "pos",
        "rx",
        "s",
        "seq",
        "t0",
        "ts",
        "tx",
        "vad",
    )


HDR = struct.Struct("!BBHII")


def start(cid, ip, port, n):
    c = Call()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    nextport[0] += 2
    s.bind(("127.0.0.1", nextport[0]))
    s.connect((ip, port))
    s.setblocking(False)
    c.s = s
    c.fd = s.fileno()
    c.seq = random.getrandbits(15)
    c.ts = random.getrandbits(31)
    c.pos = 0
    c.rx = bytearray()
    c.tx = bytearray()
    c.vad = webrtcvad.Vad(2)
    c.aes = AESGCM(os.urandom(32))
    c.n = 0
    c.f = os.open(f"rec/{n}.rec", os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC)
    c.t0 = time.monotonic()
    c.nonce = os.urandom(4)
    c.phase = 0
    c.last = -1
    calls[cid] = c
    byfd[c.fd] = c
    ep.register(c.fd, select.EPOLLIN)
    tot["calls"] += 1
    return nextport[0]


def seal(c):
    chunk = bytes(c.rx) + bytes(c.tx)
    c.rx.clear()
    c.tx.clear()
    ct = c.aes.encrypt(c.nonce + c.n.to_bytes(8, "big"), chunk, None)
    c.n += 1
    os.write(c.f, len(ct).to_bytes(4, "big") + ct)
    tot["rec_bytes"] += len(chunk)


def stop(cid):
    c = calls.pop(cid, None)
    if not c:
        return
    ep.unregister(c.fd)
    byfd.pop(c.fd)
    c.s.close()
    seal(c)
    os.close(c.f)
    tot["call_seconds"] += time.monotonic() - c.t0


def rxpkt(c):
    recv = c.s.recv
    while True:
        try:
            d = recv(2048)
        except BlockingIOError:
            return
        except ConnectionRefusedError:
            return
        pt = d[1] & 0x7F
        if pt == 0:
            p = d[12:]
            c.rx += p
            tot["frames"] += 1
            if len(p) == 160 and c.vad.is_speech(audioop.ulaw2lin(p, 2), 8000):
                tot["voiced"] += 1
        elif pt == 101 and d[13] & 0x80:
            t = d[4:8]
            if t != c.last:
                c.last = t
                tot["dtmf"] += 1
        return


def hdrs(t, name):
    return re.findall(r"(?im)^%s:\s*(.+?)\r?$" % name, t)


def sipmsg():
    while True:
        try:
            d, a = sip.recvfrom(65535)
        except BlockingIOError:
            return
        t = d.decode("latin1")
        m = t.split(" ", 1)[0]
        if m == "SIP/2.0" or m == "ACK":
            continue
        cid = hdrs(t, "Call-ID")[0]
        via = "\r\n".join("Via: " + v for v in hdrs(t, "Via"))
        fr = hdrs(t, "From")[0]
        to = hdrs(t, "To")[0]
        cs = hdrs(t, "CSeq")[0]
        body = ""
        if m == "INVITE":
            if cid in calls:
                continue
            ip = re.search(r"c=IN IP4 (\S+)", t).group(1)
            pt = int(re.search(r"m=audio (\d+)", t).group(1))
            lp = start(cid, ip, pt, len(calls))
            to += ";tag=x%d" % lp
            body = (
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
                % lp
            )
        elif m in ("BYE", "CANCEL"):
            stop(cid)
        r = (
            "SIP/2.0 200 OK\r\n%s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:ivr@127.0.0.1:%d>\r\n%sContent-Length: %d\r\n\r\n%s"
            % (via, fr, to, cid, cs, PORT, "Content-Type: application/sdp\r\n" if body else "", len(body), body)
        )
        sip.sendto(r.encode("latin1"), a)


run = True


def sig(*_):
    global run
    run = False


signal.signal(signal.SIGINT, sig)
print("READY", os.getpid(), flush=True)
T = 0.02
nxt = time.monotonic() + T
tick = 0
peak = 0
pack = HDR.pack
sfd = sip.fileno()
sub = 0
while run:
    slot = nxt - T + 0.005 * (sub + 1)
    to = slot - time.monotonic()
    if to > 0:
        time.sleep(to)
    for fd, _ in ep.poll(0, 4096):
        if fd == sfd:
            sipmsg()
        else:
            c = byfd.get(fd)
            if c:
                rxpkt(c)
    sub += 1
    if sub < 4:
        continue
    sub = 0
    if time.monotonic() - nxt > 0.01:
        tot["late"] += 1
    nxt += T
    tick += 1
    if len(calls) > peak:
        peak = len(calls)
    for c in calls.values():
        c.seq = (c.seq + 1) & 0xFFFF
        c.ts = (c.ts + 160) & 0xFFFFFFFF
        p = FR[c.pos]
        c.pos += 1
        if c.pos == NF:
            c.pos = 0
        try:
            c.s.send(pack(0x80, 0, c.seq, c.ts, 0x1234) + p)
        except OSError:
            pass
        c.tx += p
        if c.vad.is_speech(audioop.ulaw2lin(p, 2), 8000):
            tot["voiced"] += 1
        if len(c.tx) >= 8000:
            seal(c)
r = resource.getrusage(resource.RUSAGE_SELF)
cpu = r.ru_utime + r.ru_stime
for k in list(calls):
    stop(k)
tot.update(
    cpu=cpu,
    peak=peak,
    ms_per_call_s=1000 * cpu / max(tot["call_seconds"], 1e-9),
    rss=r.ru_maxrss / 1024,
    utime=r.ru_utime,
    stime=r.ru_stime,
)
json.dump(tot, open(OUT, "w"))
print(json.dumps(tot))
