// The page's only script: parts that have changed come as server-sent events and take the place of the old ones.
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  const persian = document.documentElement.lang === "fa";
  const digits = (text) => (persian ? text.replace(/\d/g, (d) => "۰۱۲۳۴۵۶۷۸۹"[d]) : text);
  const connect = () => {
    const source = new EventSource(live.dataset.url);
    source.onmessage = (event) => {
      document.body.classList.remove("lost");
      for (const [name, html] of Object.entries(JSON.parse(event.data))) {
        const place = document.getElementById(name);
        if (place) place.innerHTML = html;
      }
      count();
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
  setInterval(count, 1000);
  connect();
})();
