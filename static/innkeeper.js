// Comfort only: every page is complete without it.
"use strict";

// Tabs of one browser share one session, so they tell each other what happens to it.
const tabs = new BroadcastChannel("innkeeper");
const countdown = document.getElementById("countdown");

for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString("en", { dateStyle: "long", timeStyle: "short" });
}

// A page out of the browser's memory may show a session that is over.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

if (countdown) {
  // By the wall clock, because it goes on while the machine sleeps.
  let endsAt = Date.now() + countdown.dataset.secondsLeft * 1000;

  const show = () => {
    const left = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(left / 3600);
    const minutes = Math.floor(left / 60) % 60;
    countdown.textContent = hours > 0
      ? `${hours}:${two(minutes)}:${two(left % 60)}`
      : `${minutes}:${two(left % 60)}`;
  };

  const tick = () => {
    show();
    // The server counts whole seconds: asked a moment too early, it would find the session alive and prolong it.
    if (Date.now() > endsAt + 1500) {
      clearInterval(timer);
      // Not a reload: the first tab to do it loses the cookie, and the others would not be told why.
      location.replace(`/login/?next=${encodeURIComponent(location.pathname)}&ended=1`);
    }
  };

  const timer = setInterval(tick, 1000);
  addEventListener("visibilitychange", tick);
  show();

  tabs.addEventListener("message", ({ data }) => {
    if (data.user === countdown.dataset.user) {
      endsAt = data.endsAt;
      document.getElementById("ends").textContent =
        new Date(endsAt).toLocaleString("en", { dateStyle: "long", timeStyle: "short" });
      show();
    } else {
      location.reload();
    }
  });
  tabs.postMessage({ user: countdown.dataset.user, endsAt });
}

if (document.querySelector("[data-signed-out]")) tabs.postMessage({ user: null });
