"""How clear a direction is: R factor and MOS by the E-model (ITU-T G.107, simplified), for G.711 with concealment.

An estimate from loss and delay, never an opinion: it is called an estimate wherever it is shown.
"""

from __future__ import annotations

R_BEST = 93.2  # all defaults of G.107, no delay, no loss
IE_G711 = 0.0  # equipment impairment (G.113, appendix I)
BPL_G711 = 25.1  # robustness to random loss, with concealment (G.113, appendix I)
DELAY_KNEE_MS = 177.3  # beyond it talkers begin to disturb each other


def r_factor(lost_share: float, one_way_delay_ms: float) -> float:
    """R, 0 to 93.2, for a share of lost packets (0 to 1) and the delay from mouth to ear."""
    percent = 100.0 * min(max(lost_share, 0.0), 1.0)
    loss = IE_G711 + (95.0 - IE_G711) * percent / (percent + BPL_G711)
    delay = 0.024 * one_way_delay_ms + 0.11 * max(0.0, one_way_delay_ms - DELAY_KNEE_MS)
    return max(0.0, R_BEST - delay - loss)


def mos(r: float) -> float:
    """Mean opinion score, 1 to 4.5, of an R factor (G.107, annex B)."""
    if r <= 0.0:
        return 1.0
    if r >= 100.0:
        return 4.5
    return 1.0 + 0.035 * r + 7e-6 * r * (r - 60.0) * (100.0 - r)
