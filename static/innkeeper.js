// Comfort only: every page is complete without it.
"use strict";

// Tabs of one browser share one session, so they tell each other what happens to it.
const tabs = new BroadcastChannel("innkeeper");
const watch = document.getElementById("watch");

const localTime = (moment) => new Date(moment).toLocaleString("en", { dateStyle: "long", timeStyle: "short" });

for (const time of document.querySelectorAll("time")) {
  time.textContent = localTime(time.dateTime);
}

// A page out of the browser's memory may show a session that is over.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

if (watch) {
  const { user } = watch.dataset;
  const ends = document.getElementById("ends");
  const html = { headers: { Accept: "text/html" } };
  // By the wall clock, because it goes on while the machine sleeps.
  let endsAt = Date.now() + watch.dataset.secondsLeft * 1000;
  let asked = Date.now();
  let over = false;
  let reason;

  const move = (to) => {
    endsAt = to;
    if (ends) ends.textContent = localTime(to);
    show();
  };

  const show = () => {
    const left = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const minutes = `${Math.floor(left / 60) % 60}:${two(left % 60)}`;
    const text = left < 3600 ? minutes : `${Math.floor(left / 3600)}:${minutes.padStart(5, "0")}`;
    for (const place of document.querySelectorAll("[data-countdown]")) place.textContent = text;
    watch.hidden = left > watch.dataset.warnBelow;
  };

  // Looks without prolonging the session. Asked for a page, the server answers an ended session with a redirect
  // and not with an error, which browsers would write to the console.
  const ask = async () => {
    asked = Date.now();
    const answer = await fetch("/session/", { ...html, redirect: "manual" }).catch(() => null);
    if (over || !answer) return;
    if (answer.type === "opaqueredirect") await finish();
    // Anything else that is not good news is no news: the server may be busy.
    if (!answer.ok) return;
    const session = await answer.json();
    if (session.user === user) move(Date.now() + session.idle_seconds_left * 1000);
    else location.reload();
  };

  // Puts the sign-in page in this one's place. It says why the session is over; only the tab that asks first is
  // told, because the answer takes the dead cookie away: so it tells the others.
  const finish = async (told) => {
    reason ??= told;
    if (!over) {
      over = true;
      clearInterval(timer);
      const next = encodeURIComponent(location.pathname + location.search);
      const answer = await fetch(`/login/?next=${next}&ended=1`, html).catch(() => null);
      if (!answer?.ok || answer.redirected) return location.reload();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
      document.title = page.title;
      const known = document.querySelector("main .notice[data-known]");
      if (known) {
        reason = known.textContent;
        tabs.postMessage({ over: reason });
      }
    }
    const notice = document.querySelector("main .notice");
    if (reason && notice) notice.textContent = reason;
  };

  const tick = () => {
    if (over) return;
    show();
    const quiet = Date.now() - asked;
    if (Date.now() > endsAt ? quiet >= 1000 : quiet >= (document.hidden ? 30_000 : 4_000)) ask();
  };

  const timer = setInterval(tick, 1000);
  addEventListener("visibilitychange", () => {
    if (!document.hidden && !over) ask();
  });

  document.getElementById("stay").addEventListener("click", async () => {
    await fetch("/profile/", { ...html, redirect: "manual" }).catch(() => null);
    await ask();
    tabs.postMessage({ user, endsAt });
  });

  tabs.addEventListener("message", ({ data }) => {
    if (data.over) finish(data.over);
    else if (over || data.user !== user) location.reload();
    else move(data.endsAt);
  });
  tabs.postMessage({ user, endsAt });
  show();
}

// A sign-in page that knows why the session ended has taken that from the other tabs, so it tells them.
const known = document.querySelector("main .notice[data-known]");
if (known) tabs.postMessage({ over: known.textContent });

// The page that confirms a sign-out tells the other tabs, if it was this tab that asked for it.
addEventListener("submit", ({ target }) => {
  if (target.matches("[action='/logout/'], [action='/sessions/end']")) sessionStorage.setItem("signing-out", "yes");
});
if (document.querySelector("[data-signed-out]") && sessionStorage.getItem("signing-out")) {
  sessionStorage.removeItem("signing-out");
  tabs.postMessage({ over: "You signed out in another tab." });
}
