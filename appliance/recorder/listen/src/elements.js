// Elements of the page, made without a line of HTML: what a recording says is only ever text.

// element("button", {id: "play", class: "main", title: ..., onclick: ...}, child or text, ...)
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// The two lines of a Fault, for the reader and for a screen reader.
export function alarm(words, fault) {
  const [what, todo] = words.lines(fault);
  const place = fault.fields?.place;
  const lines = element("div", { class: "finding", role: "alert" }, element("strong", {}, what), element("span", {}, todo));
  if (place) lines.append(" ", element("bdi", { class: "soft", dir: "ltr" }, place));
  return lines;
}
