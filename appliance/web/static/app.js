// The script of every page: keys that stand beside what they do, and parts that have changed, which come as
// server-sent events and take the place of the old ones.
"use strict";
(() => {
  // A key means a place of the keyboard (event.code), whatever the layout writes there; none while somebody types.
  const types = (one) => one.matches("textarea, select, input:not([type=radio], [type=checkbox])");
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
    const here = document.activeElement;
    if (here && types(here)) {
      if (event.key === "Escape") here.blur();
      return;
    }
    const meant = document.querySelector(`[data-press~="${CSS.escape(event.code)}"]`);
    if (!meant) return;
    event.preventDefault();
    if (types(meant)) meant.focus();
    else meant.click();
  });
})();
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  const persian = document.documentElement.lang === "fa";
  const digits = (text) => (persian ? text.replace(/\d/g, (d) => "۰۱۲۳۴۵۶۷۸۹"[d]) : text);
  const waiting = new Map(); // parts that came while a button was being pressed
  let isPressed = false;
  const sameAs = (one) => { // how to find it again: a link by where it leads
    if (one.id) return `#${CSS.escape(one.id)}`;
    return one.matches("a[href]") ? `a[href="${CSS.escape(one.getAttribute("href"))}"]` : "";
  };
  const renew = (place, html) => {
    // What was opened stays open, and the keyboard stays where it was.
    const open = [...place.querySelectorAll("details[open]")].map((one) => one.id);
    const focused = place.contains(document.activeElement) ? sameAs(document.activeElement) : "";
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const same = fresh.content.firstElementChild?.dataset.same; // a form into which people type stays as it is
    if (same && same === place.firstElementChild?.dataset.same) return;
    place.replaceChildren(fresh.content);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) place.querySelector(focused)?.focus();
  };
  const show = () => {
    if (isPressed) return;
    for (const [name, html] of waiting) {
      const place = document.getElementById(name);
      if (place) renew(place, html);
    }
    waiting.clear();
    count();
    document.dispatchEvent(new Event("renewed"));
  };
  const connect = () => {
    const source = new EventSource(live.dataset.url);
    source.onmessage = (event) => {
      document.body.classList.remove("lost");
      for (const [name, html] of Object.entries(JSON.parse(event.data))) waiting.set(name, html);
      show();
    };
    source.onerror = () => {
      document.body.classList.add("lost");
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000); // refused: the box is starting
    };
    source.addEventListener("gone", () => { source.close(); location.assign("/sign-in"); });
  };
  const length = (milliseconds) => {
    const seconds = Math.max(0, Math.round(milliseconds / 1000));
    return digits(`${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
  };
  const count = () => {
    for (const cell of document.querySelectorAll("[data-since]")) {
      cell.textContent = length(Date.now() - Number(cell.dataset.since));
    }
    for (const cell of document.querySelectorAll("[data-until]")) {
      cell.textContent = length(Number(cell.dataset.until) - Date.now());
    }
  };
  const released = () => setTimeout(() => { isPressed = false; show(); }, 0); // after the click that follows
  addEventListener("pointerdown", () => { isPressed = true; });
  addEventListener("pointerup", released);
  addEventListener("pointercancel", released);
  setInterval(count, 1000);
  connect();
})();
