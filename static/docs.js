// Comfort only: the page says everything without it. This lets a reader send each request.
"use strict";

// A page never contains a session's id, not even one that was asked for.
const withoutIds = (name, value) => (name === "session_id" ? "\u2026" : value);

const readable = (text) => {
  try {
    return JSON.stringify(JSON.parse(text, withoutIds), null, 2);
  } catch {
    return text;
  }
};

const request = (form) => {
  let { path } = form.dataset;
  const query = new URLSearchParams();
  for (const { name, value, dataset } of form.querySelectorAll("input")) {
    if (dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value) query.set(name, value);
  }
  const { type, body } = form.elements;
  return new Request(query.size ? `${path}?${query}` : path, {
    method: form.dataset.method,
    headers: { Accept: "application/json", ...(body && { "Content-Type": type.value }) },
    body: body?.value,
  });
};

const part = (name, text) => {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
};

const show = async (form) => {
  const place = form.querySelector(".answer");
  try {
    const answer = await fetch(request(form));
    const at = answer.redirected ? ` from ${new URL(answer.url).pathname}, to which it led` : "";
    const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`);
    place.replaceChildren(
      part("h3", `${answer.status} ${answer.statusText}${at}`),
      part("pre", readable(await answer.text())),
      part("pre", headers.join("\n")),
    );
  } catch {
    place.replaceChildren(part("p", "There was no answer."));
  }
};

for (const form of document.querySelectorAll(".try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show(form);
  });
  form.elements.type?.addEventListener("change", ({ target }) => {
    form.elements.body.value = target.selectedOptions[0].dataset.example;
  });
}

// A link to one operation finds it open.
const open = () => {
  const named = document.getElementById(location.hash.slice(1));
  if (named instanceof HTMLDetailsElement) named.open = true;
};
addEventListener("hashchange", open);
open();
