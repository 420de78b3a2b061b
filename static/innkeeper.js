// Comfort only: every page is complete without it.
"use strict";

// Tabs of one browser share one session, so they tell each other what happens to it.
const tabs = new BroadcastChannel("innkeeper");
const watch = document.getElementById("watch");

const localTime = (moment) => new Date(moment).toLocaleString("en", { dateStyle: "long", timeStyle: "short" });

// Only our own: what an application shows as a time stays as it is.
for (const time of document.querySelectorAll("time[data-local-time]")) {
  time.textContent = localTime(time.dateTime);
}

// A page out of the browser's memory may show a session that is over.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// A page that cannot be seen asks for nothing: it loads anew when it is shown.
const reload = () => {
  if (!document.hidden) return location.reload();
  document.querySelector("main")?.replaceChildren();
  document.addEventListener("visibilitychange", () => location.reload());
};

const POLL_MS = 15_000;
const REQUEST_LIMIT_MS = 10_000;
const LONGEST_PAUSE_SECS = 30;

// After so many requests without news: 1, 2, 4 .. 30 seconds, give or take a quarter, so that tabs that met the same
// outage do not all ask at the same moment.
const pause = (tries) => Math.min(2 ** (tries - 1), LONGEST_PAUSE_SECS) * 1000 * (0.75 + Math.random() / 2);

const asPage = (text) => new DOMParser().parseFromString(text, "text/html");

// `moved`: the answer is a redirect. `served`: it is the server's answer, and not a failure that may pass.
const get = async (path, read) => {
  try {
    const answer = await fetch(path, {
      headers: { Accept: "text/html" },
      redirect: "manual",
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    });
    if (answer.type === "opaqueredirect") return { ok: false, moved: true, served: true };
    const { ok, status } = answer;
    return { ok, moved: false, served: status < 500 && status !== 429, body: read(await answer.text()) };
  } catch {
    return { ok: false, moved: false, served: false };
  }
};

// Runs `look`, which says in how many milliseconds it wants to run again: at once when the page is shown, never while
// it is hidden, and never twice at the same time.
class Lookout {
  #look;
  #running = null;
  #timer;
  #since;
  #wait;

  constructor(wait, look) {
    this.#look = look;
    this.again(wait);
    // By the wall clock, because it goes on while the machine sleeps; whatever way it was set.
    this.#timer = setInterval(() => {
      if (Math.abs(Date.now() - this.#since) >= this.#wait) this.#now();
    }, 1000);
    document.addEventListener("visibilitychange", () => this.#now());
  }

  again(wait) {
    this.#since = Date.now();
    this.#wait = wait;
  }

  // Runs `look` after what is running now.
  async run(look) {
    while (this.#running) await this.#running;
    this.#running = look();
    this.again(await this.#running);
    this.#running = null;
  }

  stop() {
    clearInterval(this.#timer);
    this.#look = null;
  }

  #now() {
    if (this.#look && !this.#running && !document.hidden) this.run(this.#look);
  }
}

// The sign-in page as one tab sends it to the others, so that they need not ask for it. `known`: it says what
// happened to the session. Only the first answer says that, because it takes the dead cookie away.
const signInPage = (page) => ({
  known: page.querySelector("main .notice[data-known]") !== null,
  title: page.title,
  main: page.querySelector("main")?.outerHTML,
});

if (watch) {
  const { user } = watch.dataset;
  const ends = document.getElementById("ends");
  let endsAt = Date.now() + watch.dataset.secondsLeft * 1000;
  // Requests since the last one that said when the session ends.
  let tries = 0;
  // Whether the sign-in page stands in this one's place, and whether that says what happened.
  let over = false;
  let known = false;
  // What another tab has said of the end; then only the sign-in page is still to come.
  let reason;

  const show = () => {
    const left = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const minutes = `${Math.floor(left / 60) % 60}:${two(left % 60)}`;
    const text = left < 3600 ? minutes : `${Math.floor(left / 3600)}:${minutes.padStart(5, "0")}`;
    for (const place of document.querySelectorAll("[data-countdown]")) place.textContent = text;
    watch.hidden = left > watch.dataset.warnBelow;
  };

  // When to look again: at the end at the latest.
  const untilNext = () => (reason ? 0 : Math.max(0, Math.min(POLL_MS, endsAt - Date.now())));

  const move = (to) => {
    endsAt = to;
    if (ends) ends.textContent = localTime(to);
    show();
  };

  // Looks without prolonging the session. Asked for a page, the server answers an ended session with a redirect
  // and not with an error, which browsers would write to the console.
  const ask = async () => {
    tries += 1;
    const { ok, moved, body } = await get("/session/", JSON.parse);
    if (over) return POLL_MS;
    if (moved) await finish();
    // Signed in anew, or as somebody else.
    else if (ok && body?.user && (reason || body.user !== user)) reload();
    // Anything else that is not good news is no news: the server may be busy.
    else if (ok && body?.user) {
      move(Date.now() + body.idle_seconds_left * 1000);
      if (body.idle_seconds_left > 0) {
        tries = 0;
        tabs.postMessage({ user, endsAt });
        return untilNext();
      }
    }
    return pause(tries);
  };

  const finish = async () => {
    const { ok, moved, body } = await get("/login/?ended=1", asPage);
    // Somebody has signed in again.
    if (moved) return reload();
    if (!ok) return;
    const notice = body.querySelector("main .notice:not([data-known])");
    if (reason && notice) {
      notice.textContent = reason;
      notice.dataset.known = "";
    }
    const page = signInPage(body);
    replaceBy(page);
    tabs.postMessage({ over: page });
  };

  // Puts the sign-in page in this one's place.
  const replaceBy = (page) => {
    if (over && (known || !page.known)) return;
    const [here, main] = [document, asPage(page.main)].map((page) => page.querySelector("main"));
    if (!here || !main) return reload();
    ({ known } = page);
    over = true;
    lookout.stop();
    clearInterval(clock);
    const form = main.querySelector("form");
    const next = form?.elements.next ?? document.createElement("input");
    Object.assign(next, { type: "hidden", name: "next", value: location.pathname + location.search });
    form?.prepend(next);
    here.replaceWith(main);
    document.title = page.title;
  };

  // Shows nothing but the reason until the sign-in page is there.
  const conceal = (told) => {
    reason = told;
    const notice = Object.assign(document.createElement("p"), { className: "notice", textContent: told });
    document.querySelector("main")?.replaceChildren(notice);
    lookout.again(untilNext());
  };

  const lookout = new Lookout(untilNext(), ask);
  const clock = setInterval(show, 1000);

  document.getElementById("stay").addEventListener("click", () =>
    lookout.run(async () => {
      await get("/profile/", asPage);
      return ask();
    }),
  );

  tabs.addEventListener("message", ({ data }) => {
    if (data.over) return replaceBy(data.over);
    if (data.reason) return over || conceal(data.reason);
    if (over || reason || data.user !== user) return reload();
    move(data.endsAt);
    tries = 0;
    lookout.again(untilNext());
  });
  tabs.postMessage({ user, endsAt });
  show();
}

// A sign-in page that knows why the session ended has taken that from the other tabs, so it tells them.
const loaded = signInPage(document);
if (loaded.known) tabs.postMessage({ over: loaded });

// The page that confirms a sign-out tells the other tabs, if it was this tab that asked for it. Any other page means
// that the sign-out failed.
const SIGNING_OUT = "signing-out";
addEventListener("submit", ({ target }) => {
  if (target.matches("[action='/logout/'], [action='/sessions/end']")) sessionStorage.setItem(SIGNING_OUT, "yes");
});
const signingOut = sessionStorage.getItem(SIGNING_OUT);
sessionStorage.removeItem(SIGNING_OUT);
if (signingOut && document.querySelector("[data-signed-out]")) {
  tabs.postMessage({ reason: "You signed out in another tab." });
}

// An error that may pass: the page is loaded again as soon as it is there. Asked for behind the scenes, because a
// browser that finds no server would put a page of its own here, which asks no more.
if (document.querySelector("[data-retry]")) {
  let tries = 1;
  new Lookout(pause(tries), async () => {
    const { served } = await get(location.href, asPage);
    if (served) reload();
    tries += 1;
    return pause(tries);
  });
}
