// Comfort only: every page is complete without it.
"use strict";

// Tabs of one browser share one session, so they tell each other what happens to it.
const tabs = new BroadcastChannel("innkeeper");
const warning = document.getElementById("expiry-warning");

const localTime = (timestamp) => new Date(timestamp).toLocaleString("en", { dateStyle: "long", timeStyle: "short" });

// Only our own: what an application shows as a time stays as it is.
for (const time of document.querySelectorAll("time[data-local-time]")) {
  time.textContent = localTime(time.dateTime);
}

// A screen reader reads a status aloud when it changes, and not because it is there.
for (const done of document.querySelectorAll("[data-notice]")) {
  setTimeout(() => done.replaceChildren(done.textContent), 200);
}

// A password can be looked at while it is typed. The button comes from here, because without script it would do nothing.
const addShowButtons = () => {
  for (const input of document.querySelectorAll(".password > input:only-child")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Show" });
    button.setAttribute("aria-label", `Show ${document.querySelector(`label[for="${input.id}"]`).textContent.toLowerCase()}`);
    button.setAttribute("aria-controls", input.id);
    const show = (shown) => {
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", shown);
    };
    show(false);
    button.addEventListener("click", () => show(input.type === "password"));
    // The field keeps the focus, and the place where one was typing.
    button.addEventListener("mousedown", (event) => event.preventDefault());
    // Browsers may remember what stands in a field of text.
    input.form.addEventListener("submit", () => show(false));
    input.after(button);
  }
};
addShowButtons();

// A page out of the back/forward cache may show a session that has ended.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// The header's part that says who is signed in.
const removeVisitor = () => document.querySelector("[data-visitor]")?.remove();

// A hidden page sends no request: it is loaded again when it is shown.
const reload = () => {
  if (!document.hidden) return location.reload();
  removeVisitor();
  document.querySelector("main")?.replaceChildren();
  document.addEventListener("visibilitychange", () => location.reload());
};

const POLL_MS = 15_000;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_RETRY_DELAY_SECS = 30;

// How long to wait after that many failed requests: 1, 2, 4 .. 30 seconds, give or take a quarter, so that tabs that met
// the same outage do not all ask at the same moment.
const retryDelay = (tries) => Math.min(2 ** (tries - 1), MAX_RETRY_DELAY_SECS) * 1000 * (0.75 + Math.random() / 2);

const asPage = (text) => new DOMParser().parseFromString(text, "text/html");

// `moved`: the answer is a redirect. `refused`: without a session the address is closed. `served`: the server has answered,
// and not with a failure that may pass.
const get = async (path, read) => {
  try {
    const answer = await fetch(path, {
      headers: { Accept: "text/html" },
      redirect: "manual",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (answer.type === "opaqueredirect") return { ok: false, moved: true, refused: false, served: true };
    const { ok, status } = answer;
    const refused = status === 403 || status === 404;
    const body = refused ? null : read(await answer.text());
    return { ok, moved: false, refused, served: status < 500 && status !== 429, body };
  } catch {
    return { ok: false, moved: false, refused: false, served: false };
  }
};

// Calls `poll` again and again; it returns in how many milliseconds it wants to be called next. When the page is shown it
// is called at once, while the page is hidden never, and never twice at the same time.
class Poller {
  #poll;
  #running = null;
  #timer;
  #since;
  #wait;

  constructor(wait, poll) {
    this.#poll = poll;
    this.schedule(wait);
    // Compares wall-clock times, because a timer stands still while the machine sleeps. The difference is absolute, because
    // somebody may set the clock back.
    this.#timer = setInterval(() => {
      if (Math.abs(Date.now() - this.#since) >= this.#wait) this.#now();
    }, 1000);
    document.addEventListener("visibilitychange", () => this.#now());
  }

  schedule(wait) {
    this.#since = Date.now();
    this.#wait = wait;
  }

  // Calls `poll` once the call that is running has returned.
  async run(poll) {
    while (this.#running) await this.#running;
    this.#running = poll();
    this.schedule(await this.#running);
    this.#running = null;
  }

  stop() {
    clearInterval(this.#timer);
    this.#poll = null;
  }

  #now() {
    if (this.#poll && !this.#running && !document.hidden) this.run(this.#poll);
  }
}

// The sign-in page as one tab sends it to the others, so that they need not ask for it. `known`: it says what
// happened to the session. Only the first answer says that, because it takes the dead cookie away.
const signInPage = (page) => ({
  known: page.querySelector("main .notice[data-known]") !== null,
  title: page.title,
  main: page.querySelector("main")?.outerHTML,
});

if (warning) {
  // Addresses of parts that the site may not have.
  const { user, session, login, profile = location.href } = warning.dataset;
  const ends = document.getElementById("ends");
  let endsAt = Date.now() + warning.dataset.secondsLeft * 1000;
  // Requests since the last one whose answer said when the session ends.
  let tries = 0;
  // Whether the sign-in page has replaced this one, and whether it says what happened to the session.
  let over = false;
  let known = false;
  // Why the session ended, as another tab said; the sign-in page is still to be fetched.
  let reason;

  const show = () => {
    const left = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const minutes = `${Math.floor(left / 60) % 60}:${two(left % 60)}`;
    const text = left < 3600 ? minutes : `${Math.floor(left / 3600)}:${minutes.padStart(5, "0")}`;
    for (const place of document.querySelectorAll("[data-countdown]")) place.textContent = text;
    warning.hidden = left > warning.dataset.warnBelow;
  };

  // When to ask again: when the session ends at the latest.
  const untilNext = () => (reason ? 0 : Math.max(0, Math.min(POLL_MS, endsAt - Date.now())));

  const setEnd = (timestamp) => {
    endsAt = timestamp;
    if (ends) ends.textContent = localTime(timestamp);
    show();
  };

  // Asks without prolonging the session. Asked for a page, the server answers an ended session with a redirect
  // and not with an error, which browsers would write to the console.
  const ask = async () => {
    tries += 1;
    const { ok, moved, refused, body } = await get(session, JSON.parse);
    if (over) return POLL_MS;
    if (moved || (refused && !login)) await finish();
    // Signed in anew, or as somebody else.
    else if (ok && body?.user && (reason || body.user !== user)) reload();
    // A failure says nothing about the session: the server may be busy.
    else if (ok && body?.user) {
      setEnd(Date.now() + body.idle_seconds_left * 1000);
      if (body.idle_seconds_left > 0) {
        tries = 0;
        tabs.postMessage({ user, endsAt });
        return untilNext();
      }
    }
    return retryDelay(tries);
  };

  const finish = async () => {
    // The application's own sign-in page, or none: this page leads there, or says that the session has ended.
    if (!login) return reload();
    const { ok, moved, body } = await get(`${login}?ended=1`, asPage);
    // Somebody has signed in again.
    if (moved) return reload();
    if (!ok) return;
    const notice = body.querySelector("main .notice:not([data-known], [data-notice])");
    if (reason && notice) {
      notice.textContent = reason;
      notice.dataset.known = "";
    }
    const page = signInPage(body);
    replaceBy(page);
    tabs.postMessage({ over: page });
  };

  // Replaces this page by the sign-in page.
  const replaceBy = (page) => {
    if (over && (known || !page.known)) return;
    const [here, main] = [document, asPage(page.main)].map((page) => page.querySelector("main"));
    if (!here || !main) return reload();
    ({ known } = page);
    over = true;
    poller.stop();
    clearInterval(clock);
    const form = main.querySelector("form");
    const next = form?.elements.next ?? document.createElement("input");
    Object.assign(next, { type: "hidden", name: "next", value: location.pathname + location.search });
    form?.prepend(next);
    removeVisitor();
    here.replaceWith(main);
    addShowButtons();
    document.title = page.title;
  };

  // Shows nothing but the reason until the sign-in page is there.
  const conceal = (text) => {
    reason = text;
    const notice = Object.assign(document.createElement("p"), { className: "notice", textContent: text });
    removeVisitor();
    document.querySelector("main")?.replaceChildren(notice);
    if (session) poller.schedule(untilNext());
    else reload();
  };

  // Where nothing says how long the session lives, nothing is asked: the page only counts.
  const silent = { schedule() {}, stop() {}, run: async () => reload() };
  const poller = session ? new Poller(untilNext(), ask) : silent;
  const clock = setInterval(show, 1000);

  document.getElementById("stay").addEventListener("click", () =>
    poller.run(async () => {
      await get(profile, asPage);
      return ask();
    }),
  );

  tabs.addEventListener("message", ({ data }) => {
    if (data.over) return replaceBy(data.over);
    if (data.reason) return over || conceal(data.reason);
    if (over || reason || data.user !== user) return reload();
    setEnd(data.endsAt);
    tries = 0;
    poller.schedule(untilNext());
  });
  tabs.postMessage({ user, endsAt });
  show();
}

// A sign-in page that knows why the session ended tells the other tabs: the server says it only once.
const loaded = signInPage(document);
if (loaded.known) tabs.postMessage({ over: loaded });

// The page that confirms a sign-out tells the other tabs, if it was this tab that asked for it. Any other page means
// that the sign-out failed.
const SIGNING_OUT = "signing-out";
addEventListener("submit", ({ target }) => {
  if (target.querySelector("[data-signs-out]")) sessionStorage.setItem(SIGNING_OUT, "yes");
});
const signingOut = sessionStorage.getItem(SIGNING_OUT);
sessionStorage.removeItem(SIGNING_OUT);
if (signingOut && document.querySelector("[data-signed-out]")) {
  tabs.postMessage({ reason: "You signed out in another tab." });
}

// An error that may pass: this page is loaded again as soon as the server has it. It is fetched first, because a browser
// that finds no server would show an error page of its own, which does not try again.
if (document.querySelector("[data-retry]")) {
  let tries = 1;
  new Poller(retryDelay(tries), async () => {
    const { served } = await get(location.href, asPage);
    if (served) reload();
    tries += 1;
    return retryDelay(tries);
  });
}
