/* Small SIP/RTP caller for load and function tests on loopback.
 * gcc -O2 -o loadgen loadgen.c -lm
 * loadgen --target 127.0.0.1:20060 --local 127.0.0.1:20170 --rtp 20200 --n 10 --rate 10 --secs 10 [--dtmf 123#] [--cancel-ms 200]
 * Prints one JSON line: set-up latency, interval jitter of what the other side sent (kernel receive timestamps), losses. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <getopt.h>

#define MAXC 2000
#define BINS 4000               /* 0.25 ms bins up to 1 s */
enum { IDLE, INVITED, RINGING, UP, BYING, DONE, FAILED };
struct call {
	int st, id, fd, port, rport; struct sockaddr_in raddr, sraddr;
	char tag[80]; char callid[64]; char ftag[32], branch[40]; char contact[160];
	double t_inv, t_180, t_200, t_end, t_next, t_retx, t_media0; double rto; int nretx;
	uint16_t seq; uint32_t ts, ssrc; uint64_t txn, rxn, lost, ooo, late40, late60; uint16_t rseq; int have; uint32_t rssrc; double rlast, rfirst;
	int code; int dtmf_i, dtmf_st, dtmf_n; double dtmf_next; uint32_t dtmf_ts; int acked; double digit_t; uint64_t tone_energy_pk; int remote_bye;
};
static struct call C[MAXC];
static uint32_t hist[BINS + 1];
static double setup[MAXC], ring[MAXC], digit[MAXC]; static int nsetup, nring, ndigit;
static int sfd; static struct sockaddr_in tgt, loc; static char lip[32]; static int lport;
static uint8_t tone[8000];
static double now(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static uint8_t ulaw(int s) { int sign = (s >> 8) & 0x80; if (sign) s = -s; if (s > 32635) s = 32635; s += 132; int e = 7; for (int m = 0x4000; !(s & m) && e > 0; e--, m >>= 1); int man = (s >> (e + 3)) & 15; return ~(sign | (e << 4) | man); }
static const char *user = "ivr"; static const char *fromuser = "caller"; static char xhdr[512] = "";
static void sendsip(struct call *c, const char *b, int n) { (void)c; sendto(sfd, b, n, 0, (struct sockaddr *)&tgt, sizeof tgt); }
static void tip(char *o) { sprintf(o, "%s:%d", inet_ntoa(tgt.sin_addr), ntohs(tgt.sin_port)); }
static void invite(struct call *c) {
	char sdp[512], b[3000], t[64]; tip(t);
	int sl = sprintf(sdp, "v=0\r\no=- %d 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n", c->id + 1000, lip, lip, c->port);
	int n = sprintf(b, "INVITE sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s%d@%s:%d>;tag=%s\r\nTo: <sip:%s@%s>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContact: <sip:%s@%s:%d>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		user, t, lip, lport, c->branch, fromuser, c->id, lip, lport, c->ftag, user, t, c->callid, fromuser, lip, lport, xhdr, sl, sdp);
	sendsip(c, b, n);
}
static void simple(struct call *c, const char *m, int cseq, const char *branch) {
	char b[2000], t[64]; tip(t); int dlg = strcmp(m, "CANCEL") != 0;
	int n = sprintf(b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s%d@%s:%d>;tag=%s\r\nTo: <sip:%s@%s>%s%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n",
		m, (dlg && c->contact[0]) ? c->contact : (char[80]){0}, lip, lport, branch, fromuser, c->id, lip, lport, c->ftag, user, t, dlg && c->tag[0] ? ";tag=" : "", dlg ? c->tag : "", c->callid, cseq, m);
	if (!(dlg && c->contact[0])) { char uri[96]; sprintf(uri, "sip:%s@%s", user, t);
	 n = sprintf(b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s%d@%s:%d>;tag=%s\r\nTo: <sip:%s@%s>%s%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n", m, uri, lip, lport, branch, fromuser, c->id, lip, lport, c->ftag, user, t, dlg && c->tag[0] ? ";tag=" : "", dlg ? c->tag : "", c->callid, cseq, m); }
	sendsip(c, b, n);
}
static char *hdr(char *m, const char *name, char *out, int max) {
	char *p = m; size_t l = strlen(name); out[0] = 0;
	while ((p = strstr(p, "\r\n"))) { p += 2; if (!strncasecmp(p, name, l)) { p += l; while (*p == ' ' || *p == ':') p++; char *e = strstr(p, "\r\n"); int n = e ? e - p : (int)strlen(p); if (n >= max) n = max - 1; memcpy(out, p, n); out[n] = 0; return out; } }
	return NULL;
}
static int active; static double secs = 10; static const char *dtmf = ""; static double cancel_ms = 0; static int codes[700];
static void end(struct call *c, int st) { if (c->st != DONE && c->st != FAILED) { c->st = st; active--; } }
static void on_sip(char *m, int n, struct sockaddr_in *from) {
	char v[512], cs[64]; m[n] = 0;
	if (!hdr(m, "Call-ID", v, sizeof v)) return;
	int id = -1; sscanf(v, "lg%*[^-]-%d@", &id); if (id < 0 || id >= MAXC) return;
	struct call *c = &C[id]; if (strcmp(c->callid, v)) return;
	hdr(m, "CSeq", cs, sizeof cs);
	if (strncmp(m, "SIP/2.0 ", 8)) {      /* request */
		char via[600], f[300], t[300], b[2500]; hdr(m, "Via", via, sizeof via); hdr(m, "From", f, sizeof f); hdr(m, "To", t, sizeof t);
		if (!strncmp(m, "ACK", 3)) return;
		int l = sprintf(b, "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n", via, f, t, v, cs);
		sendto(sfd, b, l, 0, (struct sockaddr *)from, sizeof *from);
		if (!strncmp(m, "BYE", 3)) { c->remote_bye = 1; end(c, DONE); }
		return;
	}
	int code = atoi(m + 8); c->code = code; if (code < 700) codes[code]++;
	double t = now();
	if (strstr(cs, "INVITE")) {
		char to[300]; if (hdr(m, "To", to, sizeof to)) { char *p = strstr(to, "tag="); if (p) { p += 4; int i = 0; while (*p && *p != ';' && *p != '>' && i < 79) c->tag[i++] = *p++; c->tag[i] = 0; } }
		if (code < 200) { if (c->st == INVITED) c->st = RINGING; if (code == 180 && !c->t_180) { c->t_180 = t; ring[nring++] = t - c->t_inv; } return; }
		if (code < 300) {
			char ct[300]; if (hdr(m, "Contact", ct, sizeof ct)) { char *p = strchr(ct, '<'); if (p) { char *e = strchr(++p, '>'); if (e) { *e = 0; snprintf(c->contact, sizeof c->contact, "%s", p); } } }
			char br[48]; sprintf(br, "z9hG4bKa%d", id);
			simple(c, "ACK", 1, br); c->acked++;
			if (c->st == INVITED || c->st == RINGING) {
				c->t_200 = t; setup[nsetup++] = t - c->t_inv; c->st = UP; c->t_end = t + secs; c->t_next = t; c->dtmf_next = t + 1.0;
				char *p = strstr(m, "m=audio "); if (p) c->rport = atoi(p + 8);
				c->raddr = tgt; c->raddr.sin_port = htons(c->rport);
			}
			return;
		}
		simple(c, "ACK", 1, c->branch);
		if (c->st < UP) end(c, cancel_ms && code == 487 ? DONE : FAILED);
		return;
	}
	if (strstr(cs, "BYE") && code >= 200) end(c, DONE);
}
static void rtp_tx(struct call *c, double t) {
	uint8_t p[172]; 
	if (c->dtmf_i < (int)strlen(dtmf) && t >= c->dtmf_next) {
		const char *keys = "0123456789*#ABCD"; int ev = strchr(keys, dtmf[c->dtmf_i]) - keys;
		if (c->dtmf_n == 0) c->dtmf_ts = c->ts;
		int endb = c->dtmf_n >= 5; int dur = 160 * ((c->dtmf_n < 5 ? c->dtmf_n : 5) + 1);
		p[0] = 0x80; p[1] = 101 | (c->dtmf_n == 0 ? 0x80 : 0); p[2] = c->seq >> 8; p[3] = c->seq; c->seq++;
		uint32_t ts = htonl(c->dtmf_ts), ss = htonl(c->ssrc); memcpy(p + 4, &ts, 4); memcpy(p + 8, &ss, 4);
		if (endb && c->dtmf_n == 5 && !c->digit_t) c->digit_t = now();   /* the key is released: from here the prompt is awaited */
		p[12] = ev; p[13] = (endb ? 0x80 : 0) | 10; p[14] = dur >> 8; p[15] = dur;
		sendto(c->fd, p, 16, 0, (struct sockaddr *)&c->raddr, sizeof c->raddr); c->ts += 160; c->txn++;
		if (++c->dtmf_n == 8) { c->dtmf_n = 0; c->dtmf_i++; c->dtmf_next = t + 0.2; }
		return;
	}
	p[0] = 0x80; p[1] = 0; p[2] = c->seq >> 8; p[3] = c->seq; c->seq++;
	uint32_t ts = htonl(c->ts), ss = htonl(c->ssrc); memcpy(p + 4, &ts, 4); memcpy(p + 8, &ss, 4); c->ts += 160;
	memcpy(p + 12, tone + (c->ts % 7840), 160);
	sendto(c->fd, p, 172, 0, (struct sockaddr *)&c->raddr, sizeof c->raddr); c->txn++;
}
static void rtp_rx(struct call *c) {
	for (;;) {
		uint8_t b[2000]; char ctl[256]; struct iovec io = { b, sizeof b }; struct msghdr mh = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl };
		int n = recvmsg(c->fd, &mh, MSG_DONTWAIT); if (n < 0) return; if (n < 12) continue;
		if ((b[1] & 0x7f) >= 72 && (b[1] & 0x7f) <= 76) continue;
		double t = now(); for (struct cmsghdr *cm = CMSG_FIRSTHDR(&mh); cm; cm = CMSG_NXTHDR(&mh, cm)) if (cm->cmsg_type == SCM_TIMESTAMPNS) { struct timespec *ts = (void *)CMSG_DATA(cm); t = ts->tv_sec + ts->tv_nsec * 1e-9; }
		if (c->digit_t > 0 && (b[1] & 0x80)) { digit[ndigit++] = t - c->digit_t; c->digit_t = -1; }   /* a marker: something new is played */
		uint16_t s = b[2] << 8 | b[3]; c->rxn++;
		if (c->have) { int16_t d = s - c->rseq; if (d > 1) c->lost += d - 1; if (d <= 0) { c->ooo++; } 
			double iv = (t - c->rlast) * 1000; if (iv > 40) c->late40++; if (iv > 60) c->late60++; int bin = iv * 4; if (bin < 0) bin = 0; if (bin > BINS) bin = BINS; hist[bin]++; }
		else { c->rfirst = t; c->t_media0 = t; }
		c->have = 1; c->rseq = s; c->rlast = t;
		/* energy: any non-silence sample */
		for (int i = 12; i < n; i += 16) if (b[i] != 0xff && b[i] != 0x7f && b[i] != 0xd5 && b[i] != 0x7e && b[i] != 0xfe) { c->tone_energy_pk++; break; }
	}
}
static int cmp(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return x < y ? -1 : x > y; }
static double pct(double *v, int n, double p) { if (!n) return -1; int i = p * (n - 1); return v[i] * 1000; }
static double hp(double p) { uint64_t tot = 0, a = 0; for (int i = 0; i <= BINS; i++) tot += hist[i]; if (!tot) return -1; for (int i = 0; i <= BINS; i++) { a += hist[i]; if (a >= p * tot) return i / 4.0; } return BINS / 4.0; }
int main(int ac, char **av) {
	int N = 1; double rate = 10; int rtp = 20200; char *target = "127.0.0.1:20060", *local = "127.0.0.1:20170"; int keepup = 0; double stagger = -1;
	static struct option o[] = { {"target",1,0,'t'},{"local",1,0,'l'},{"rtp",1,0,'r'},{"n",1,0,'n'},{"rate",1,0,'R'},{"secs",1,0,'s'},{"dtmf",1,0,'d'},{"cancel-ms",1,0,'c'},{"user",1,0,'u'},{"from",1,0,'f'},{"hdr",1,0,'h'},{0} };
	int ch; while ((ch = getopt_long(ac, av, "", o, 0)) > 0) switch (ch) { case 't': target = optarg; break; case 'l': local = optarg; break; case 'r': rtp = atoi(optarg); break; case 'n': N = atoi(optarg); break; case 'R': rate = atof(optarg); break; case 's': secs = atof(optarg); break; case 'd': dtmf = optarg; break; case 'c': cancel_ms = atof(optarg); break; case 'u': user = optarg; break; case 'f': fromuser = optarg; break; case 'h': snprintf(xhdr, sizeof xhdr, "%s\r\n", optarg); break; }
	(void)keepup; (void)stagger;
	target = strdup(target); local = strdup(local); char *p = strchr(target, ':'); *p = 0; tgt.sin_family = AF_INET; inet_aton(target, &tgt.sin_addr); tgt.sin_port = htons(atoi(p + 1));
	p = strchr(local, ':'); *p = 0; strcpy(lip, local); lport = atoi(p + 1); loc.sin_family = AF_INET; inet_aton(lip, &loc.sin_addr); loc.sin_port = htons(lport);
	for (int i = 0; i < 8000; i++) tone[i] = ulaw(8000 * sin(2 * M_PI * 500 * i / 8000) * ((i / 2000) % 2 ? 1 : 0.6));
	struct rlimit rl = { 65536, 65536 }; setrlimit(RLIMIT_NOFILE, &rl);
	sfd = socket(AF_INET, SOCK_DGRAM, 0); int one = 1, big = 4 << 20; setsockopt(sfd, SOL_SOCKET, SO_RCVBUF, &big, sizeof big); setsockopt(sfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(sfd, (void *)&loc, sizeof loc)) { perror("bind sip"); return 1; } fcntl(sfd, F_SETFL, O_NONBLOCK);
	int ep = epoll_create1(0); struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 0xffffffff }; epoll_ctl(ep, EPOLL_CTL_ADD, sfd, &ev);
	srand(getpid() ^ time(0)); int run = rand() % 1000000; double t0 = now(); active = N;
	for (int i = 0; i < N; i++) { struct call *c = &C[i]; c->id = i; c->fd = socket(AF_INET, SOCK_DGRAM, 0); setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one); c->port = rtp + 2 * i; struct sockaddr_in a = loc; a.sin_port = htons(c->port);
		if (bind(c->fd, (void *)&a, sizeof a)) { perror("bind rtp"); return 1; } fcntl(c->fd, F_SETFL, O_NONBLOCK); ev.data.u32 = i; epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
		sprintf(c->callid, "lg%d-%d@lg", run, i); sprintf(c->ftag, "f%d.%d", run, i); sprintf(c->branch, "z9hG4bKi%d.%d", run, i); c->ssrc = rand(); c->seq = rand(); c->ts = rand(); c->t_inv = t0 + i / rate; }
	double deadline = t0 + N / rate + secs + 20;
	struct epoll_event evs[256];
	while (active > 0 && now() < deadline) {
		int n = epoll_wait(ep, evs, 256, 1);
		for (int i = 0; i < n; i++) { if (evs[i].data.u32 == 0xffffffff) { char b[9000]; struct sockaddr_in f; socklen_t fl = sizeof f; int k; while ((k = recvfrom(sfd, b, 8900, 0, (void *)&f, &fl)) > 0) { on_sip(b, k, &f); fl = sizeof f; } } else rtp_rx(&C[evs[i].data.u32]); }
		double t = now();
		for (int i = 0; i < N; i++) { struct call *c = &C[i];
			if (c->st == IDLE && t >= c->t_inv) { c->t_inv = t; c->st = INVITED; c->rto = 0.5; c->t_retx = t + c->rto; invite(c); }
			else if (c->st == INVITED && t >= c->t_retx) { if (++c->nretx > 6) { end(c, FAILED); } else { c->rto *= 2; c->t_retx = t + c->rto; invite(c); } }
			if ((c->st == RINGING || c->st == INVITED) && cancel_ms && t >= c->t_inv + cancel_ms / 1000 && c->dtmf_st == 0) { c->dtmf_st = 1; simple(c, "CANCEL", 1, c->branch); }
			if ((c->st == RINGING || c->st == INVITED) && t > c->t_inv + 25) end(c, FAILED);
			if (c->st == UP) { int k = 0; while (t >= c->t_next && k++ < 5) { rtp_tx(c, t); c->t_next += 0.02; } if (t >= c->t_end) { c->st = BYING; c->t_retx = t + 1; c->nretx = 0; char br[48]; sprintf(br, "z9hG4bKb%d.%d", run, i); simple(c, "BYE", 2, br); } }
			else if (c->st == BYING && t >= c->t_retx) { if (++c->nretx > 4) end(c, FAILED); else { c->t_retx = t + 1; char br[48]; sprintf(br, "z9hG4bKb%d.%d", run, i); simple(c, "BYE", 2, br); } }
		}
	}
	int done = 0, fail = 0, stuck = 0; uint64_t tx = 0, rx = 0, lost = 0, ooo = 0, l40 = 0, l60 = 0, en = 0, exp = 0; int bad = 0, nomedia = 0;
	for (int i = 0; i < N; i++) { struct call *c = &C[i]; if (c->st == DONE) done++; else if (c->st == FAILED) fail++; else stuck++; tx += c->txn; rx += c->rxn; lost += c->lost; ooo += c->ooo; l40 += c->late40; l60 += c->late60; en += c->tone_energy_pk; if (c->have) exp += (c->rlast - c->rfirst) / 0.02 + 1.5; if (c->rxn && c->late40 > 0.01 * c->rxn) bad++; if (c->t_200 && !c->rxn) nomedia++; }
	qsort(setup, nsetup, sizeof(double), cmp); qsort(ring, nring, sizeof(double), cmp); qsort(digit, ndigit, sizeof(double), cmp); int mx = 0; for (int i = 0; i <= BINS; i++) if (hist[i]) mx = i;
	uint64_t tot = 0; for (int i = 0; i <= BINS; i++) tot += hist[i];
	struct rusage ru; getrusage(RUSAGE_SELF, &ru);
	printf("{\"n\":%d,\"done\":%d,\"failed\":%d,\"stuck\":%d,\"answered\":%d,\"setup_ms\":{\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"max\":%.1f},\"digit_ms\":{\"n\":%d,\"p50\":%.1f,\"p99\":%.1f},\"ring_ms_p50\":%.1f,\"tx\":%lu,\"rx\":%lu,\"expected_rx\":%lu,\"seq_lost\":%lu,\"ooo\":%lu,\"iv_ms\":{\"p1\":%.2f,\"p50\":%.2f,\"p95\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f},\"over40_pct\":%.3f,\"over60_pct\":%.3f,\"calls_bad\":%d,\"no_media\":%d,\"audible_pct\":%.1f,\"lg_cpu\":%.2f,\"codes\":{", N, done, fail, stuck, nsetup, pct(setup, nsetup, .5), pct(setup, nsetup, .95), pct(setup, nsetup, .99), pct(setup, nsetup, 1), ndigit, pct(digit, ndigit, .5), pct(digit, ndigit, .99), pct(ring, nring, .5), tx, rx, exp, lost, ooo, hp(.01), hp(.5), hp(.95), hp(.99), hp(.999), mx / 4.0, tot ? 100.0 * l40 / tot : -1, tot ? 100.0 * l60 / tot : -1, bad, nomedia, rx ? 100.0 * en / rx : 0, ru.ru_utime.tv_sec + ru.ru_utime.tv_usec * 1e-6 + ru.ru_stime.tv_sec + ru.ru_stime.tv_usec * 1e-6);
	int first = 1; for (int i = 0; i < 700; i++) if (codes[i]) { printf("%s\"%d\":%d", first ? "" : ",", i, codes[i]); first = 0; }
	printf("}}\n"); return fail || stuck ? 2 : 0;
}
