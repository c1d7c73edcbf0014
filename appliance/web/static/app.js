// The page's only script: parts that have changed come as server-sent events and take the place of the old ones.
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  const persian = document.documentElement.lang === "fa";
  const digits = (text) => (persian ? text.replace(/\d/g, (d) => "۰۱۲۳۴۵۶۷۸۹"[d]) : text);
  const waiting = new Map(); // parts that came while a button was being pressed
  let isPressed = false;
  const renew = (place, html) => {
    // What was opened stays open, and the keyboard stays where it was.
    const open = [...place.querySelectorAll("details[open]")].map((one) => one.id);
    const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
    place.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus();
  };
  const show = () => {
    if (isPressed) return;
    for (const [name, html] of waiting) {
      const place = document.getElementById(name);
      if (place) renew(place, html);
    }
    waiting.clear();
    count();
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
  const count = () => {
    for (const cell of document.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.round((Date.now() - Number(cell.dataset.since)) / 1000));
      cell.textContent = digits(`${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
    }
  };
  const released = () => setTimeout(() => { isPressed = false; show(); }, 0); // after the click that follows
  addEventListener("pointerdown", () => { isPressed = true; });
  addEventListener("pointerup", released);
  addEventListener("pointercancel", released);
  setInterval(count, 1000);
  connect();
})();
