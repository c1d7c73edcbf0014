// The form of a call: what is typed is sent at most once a second, and what another window has typed is shown here.
"use strict";
(() => {
  const SEND_MS = 1000;
  const FIRST_MS = 300; // a short word is one message, not one for each letter
  const NAMES = ["disposition", "note", "resolved", "kind"];
  const at = (id) => document.getElementById(id);
  const unsent = new Set(); // fields that were typed into and that calls does not have yet
  let underWay = new Set();
  let refused = null; // what another window had changed: { fields, changed }
  let form = null;
  let isGiving = false;
  let timer = 0;
  let sentAt = -Infinity;

  const value = (name) => (name === "note" ? form.note.value : form.querySelector(`[name="${name}"]:checked`)?.value || "");
  const show = (name, text) => {
    if (name === "note") form.note.value = text;
    else for (const one of form.querySelectorAll(`[name="${name}"]`)) one.checked = one.value === text;
  };
  const seen = (name) => form.elements[`seen_${name}`];
  const say = (word) => { if (at("kept")) at("kept").textContent = at("kept").dataset[word] || ""; };
  const called = (name, text) =>
    form.querySelector(`[name="${name}"][value="${CSS.escape(text)}"]`)?.closest("label").firstElementChild.nextSibling
      .textContent.trim() || text || "–";

  const open = () => [...unsent].filter((name) => !refused?.changed.includes(name)); // others wait for an answer
  const later = () => {
    if (!timer && open().length) timer = setTimeout(send, Math.max(FIRST_MS, sentAt + SEND_MS - performance.now()));
  };
  const send = async () => {
    timer = 0;
    const names = form ? open() : [];
    if (!names.length || underWay.size) return;
    const mine = form;
    const body = new URLSearchParams();
    for (const name of ["form", "agent", "conversation"]) body.set(name, mine.elements[name].value);
    for (const name of names) {
      body.set(name, value(name));
      body.set(`seen_${name}`, seen(name).value);
      unsent.delete(name);
    }
    underWay = new Set(names);
    sentAt = performance.now();
    say("keeping");
    let told = null;
    try {
      const answer = await fetch("/me/draft", { method: "POST", body });
      if (answer.redirected) return location.assign("/sign-in");
      if (answer.status < 500) told = await answer.json();
    } catch { /* the box does not answer: sent again below, until it does */ }
    underWay = new Set();
    if (mine !== form) return;
    if (!told) for (const name of names) unsent.add(name);
    else if (told.fields) taken(told, names);
    else at("kept").textContent = told.problem;
    if (isGiving) return form.submit(); // with all that stands in it, and the versions that are known now
    if (told && !unsent.size && !refused && told.fields) say("kept");
    later();
  };
  const taken = (told, names) => {
    for (const name of names) if (!told.changed.includes(name)) seen(name).value = told.fields[name].version;
    if (!told.changed.length) return;
    refused = { fields: { ...refused?.fields, ...told.fields }, changed: [...(refused?.changed ?? []), ...told.changed] };
    at("changed-to").textContent = refused.changed.map((name) => called(name, refused.fields[name].value)).join(" · ");
    at("changed").hidden = false;
  };
  const settle = (isMine) => {
    for (const name of refused.changed) {
      seen(name).value = refused.fields[name].version;
      if (isMine) unsent.add(name);
      else {
        unsent.delete(name);
        show(name, refused.fields[name].value);
      }
    }
    refused = null;
    at("changed").hidden = true;
    later();
  };
  const typed = (event) => {
    if (!NAMES.includes(event.target.name)) return;
    unsent.add(event.target.name);
    later();
  };
  const give = (event) => {
    clearTimeout(timer);
    timer = 0;
    if (!underWay.size) return;
    event.preventDefault(); // not beside what is on its way: it would look like somebody else's
    isGiving = true;
  };
  const take = () => {
    // A form of another call has come, or fields of this one from elsewhere.
    const now = at("wrap-up");
    if (now !== form) {
      if (form && (unsent.has("note") || underWay.has("note")) && form.note.value) {
        at("untaken-text").textContent = form.note.value;
        at("untaken").hidden = false;
      }
      unsent.clear();
      refused = null;
      at("changed").hidden = true;
      form = now;
      form?.addEventListener("input", typed);
      form?.addEventListener("submit", give);
    }
    if (!form) return;
    for (const one of document.querySelectorAll("#draft [data-name]")) {
      const { of, name, version, value: text } = one.dataset;
      const isBusy = unsent.has(name) || underWay.has(name) || refused?.changed.includes(name);
      if (of !== form.dataset.conversation || isBusy || Number(version) <= Number(seen(name).value)) continue;
      show(name, text);
      seen(name).value = version;
    }
  };
  at("keep-mine")?.addEventListener("click", () => settle(true));
  at("take-theirs")?.addEventListener("click", () => settle(false));
  document.addEventListener("renewed", take);
  take();
})();
