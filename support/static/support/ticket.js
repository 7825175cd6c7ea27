// A ticket's page: one box at a time, drafts that keep themselves, and who else is here. It works without all of it.
// What is written is kept on the server, without codes, and nowhere in the browser.

const cookie = (name) => document.cookie.split("; ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
const composer = document.querySelector("#write");
const boxes = composer ? [...composer.querySelectorAll("[data-box]")] : [];
let isLeaving = false;
let typedAt = 0;

// Whoever signs in again in another tab gets a new token, and the forms here are still his.
const token = (form) => cookie("csrftoken") ?? form.elements.csrfmiddlewaretoken.value;

// --- One box at a time
const tabs = composer ? [...composer.querySelectorAll("[role=tab]")] : [];

function open(kind, focuses) {
  for (const tab of tabs) {
    const isOpen = tab.dataset.tab === kind;
    tab.setAttribute("aria-selected", isOpen);
    tab.tabIndex = isOpen ? 0 : -1;
  }
  for (const box of boxes) {
    box.hidden = box.dataset.box !== kind;
    if (!box.hidden && focuses) box.elements.body.focus();
  }
}

if (tabs.length) {
  composer.querySelector("[role=tablist]").hidden = false;
  for (const box of boxes) {
    box.setAttribute("role", "tabpanel");
    box.setAttribute("aria-labelledby", `tab-${box.dataset.box}`);
    box.querySelector("h3").hidden = true;
  }
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => open(tab.dataset.tab, true));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      open(next.dataset.tab);
      next.focus();
    });
  });
  const first = tabs.find((tab) => "first" in tab.dataset) ?? tabs[0];
  open(first.dataset.tab);
  if ("first" in first.dataset) document.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
}

// --- Drafts
const SOON = 800;
const lastKept = new Map(boxes.map((box) => [box, box.elements.body.value]));

async function keep(box, isLast) {
  const body = box.elements.body.value;
  if (body === lastKept.get(box)) return true;
  lastKept.set(box, body);
  const told = box.querySelector("[data-kept]");
  const data = new FormData();
  for (const name of ["keeper", "send_key"]) data.set(name, box.elements[name].value);
  data.set("csrfmiddlewaretoken", token(box));
  data.set("kind", box.dataset.box);
  data.set("body", body);
  try {
    const answer = await fetch(composer.dataset.draft, { method: "POST", body: data, keepalive: isLast, redirect: "manual" });
    if (answer.ok) {
      const now = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      told.textContent = body.trim() ? `Saved ${now}` : "";
      return true;
    }
    if (answer.status === 401) {
      told.textContent = "Saved. You are signed out: sign in in another tab, then send it from here.";
      return false;
    }
    throw new Error(answer.status);
  } catch {
    // Tried again with the next key, and when the page goes.
    lastKept.set(box, null);
    told.textContent = "Not saved: no connection. Leave this page open.";
    return false;
  }
}

for (const box of boxes) {
  let waiting;
  box.elements.body.addEventListener("input", () => {
    typedAt = Date.now();
    clearTimeout(waiting);
    waiting = setTimeout(() => keep(box), SOON);
  });
  box.addEventListener("submit", () => clearTimeout(waiting));
}

// A form leads to a page that shows the drafts: what is not kept yet is kept before. What is being sent itself is no
// draft any more.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!composer || event.defaultPrevented) return;
  if (boxes.includes(form)) form.elements.csrfmiddlewaretoken.value = token(form);
  const others = boxes.filter((box) => box !== form && box.elements.body.value !== lastKept.get(box));
  if (others.length && !isLeaving) {
    event.preventDefault();
    isLeaving = true;
    await Promise.all(others.map((box) => keep(box, true)));
    form.requestSubmit(event.submitter);
  }
  isLeaving = true;
});
addEventListener("pagehide", () => {
  if (!isLeaving) for (const box of boxes) keep(box, true);
});
addEventListener("pageshow", () => {
  isLeaving = false;
});

// --- Macros: shown before they are used, and then only put into the box
for (const box of boxes) {
  const shown = box.querySelector("[data-preview]");
  const choice = box.elements.choice;
  const applied = box.querySelector("[data-applied]");
  if (!choice) continue;
  const ask = async () => {
    if (!choice.value) return shown.replaceChildren();
    const answer = await fetch(`${choice.dataset.macros}${choice.value}/${location.search}`, { redirect: "manual" });
    if (answer.ok) shown.innerHTML = await answer.text();
  };
  choice.addEventListener("change", ask);
  box.addEventListener("click", (event) => {
    if (event.target.closest("[data-asks-preview]")) {
      event.preventDefault();
      ask();
    } else if (event.target.closest("[data-use]")) {
      event.preventDefault();
      const preview = shown.querySelector("section");
      const body = box.elements.body;
      const text = shown.querySelector("[data-plain]").content.textContent;
      body.value = body.value.trim() ? `${body.value.trimEnd()}\n\n${text}` : text;
      body.dispatchEvent(new Event("input"));
      box.elements.macro.value = event.target.closest("[data-use]").value;
      if (preview.dataset.status) box.elements.status.value = preview.dataset.status;
      applied.querySelector("[data-applied-text]").textContent = preview.dataset.said;
      applied.hidden = false;
      shown.replaceChildren();
      choice.value = "";
      body.focus();
    } else if (event.target.closest("[data-without]")) {
      event.preventDefault();
      box.elements.macro.value = "";
      applied.hidden = true;
    }
  });
}

// --- Who else is here, and what came meanwhile
const here = document.querySelector("#here");
const EVERY = 4000;

async function sayHere() {
  if (document.hidden) return;
  const data = new FormData();
  data.set("csrfmiddlewaretoken", cookie("csrftoken") ?? here.dataset.token);
  data.set("typing", Date.now() - typedAt < 8000 ? "1" : "0");
  let told;
  try {
    const answer = await fetch(here.dataset.presence, { method: "POST", body: data, redirect: "manual" });
    if (!answer.ok) return;
    told = await answer.json();
  } catch {
    return;
  }
  const names = (typing) => told.others.filter((other) => other.typing === typing).map((other) => other.name);
  const sentence = (people, verb) => (people.length ? `${people.join(", ")} ${people.length > 1 ? "are" : "is"} ${verb}.` : "");
  const text = [sentence(names(true), "writing on this ticket"), sentence(names(false), "looking at this ticket")];
  const others = here.querySelector("[data-others]");
  const words = text.filter(Boolean).join(" ");
  // Told anew only when it changes: a screen reader would repeat it every four seconds.
  if (others.textContent !== words) others.textContent = words;
  here.querySelector("[data-newer]").hidden = !(told.newest > Number(here.dataset.newest));
  here.hidden = !words && !(told.newest > Number(here.dataset.newest));
}

if (here) {
  sayHere();
  setInterval(sayHere, EVERY);
  document.addEventListener("visibilitychange", sayHere);
  addEventListener("pagehide", () => {
    const data = new FormData();
    data.set("csrfmiddlewaretoken", cookie("csrftoken") ?? here.dataset.token);
    data.set("gone", "1");
    fetch(here.dataset.presence, { method: "POST", body: data, keepalive: true, redirect: "manual" }).catch(() => {});
  });
}

// --- Taking an answer back, while there is time
for (const form of document.querySelectorAll("[data-undo-until]")) {
  const until = Date.now() + 10_000;
  const end = Math.min(until, Date.parse(form.dataset.undoUntil));
  const seconds = form.querySelector("[data-seconds]");
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) {
      clearInterval(ticking);
      form.hidden = true;
    } else seconds.textContent = ` (${left} s)`;
  };
  const ticking = setInterval(tick, 500);
  tick();
}

// --- Keys of this page, beside those of every page
function step(by) {
  const messages = [...document.querySelectorAll("#thread .message")];
  const at = messages.indexOf(document.activeElement?.closest(".message"));
  const next = at < 0 ? messages.length - (by < 0 ? 1 : messages.length) : at + by;
  messages[Math.max(0, Math.min(messages.length - 1, next))]?.focus();
}

addEventListener("DOMContentLoaded", () => {
  const keys = window.deskKeys;
  if (!keys) return;
  const inBox = (name) => boxes.find((box) => !box.hidden)?.elements[name];
  const focus = (field) => {
    if (!field) return false;
    field.focus();
    field.scrollIntoView({ block: "center" });
  };
  if (boxes.length) {
    keys.add("r", "Public reply", () => open("reply", true));
    keys.add("n", "Internal note", () => open("note", true));
    keys.add("m", "Macros", () => focus(inBox("choice")));
    keys.add("s", "What the ticket is afterwards", () => focus(inBox("status")));
    keys.add("e", "Change the ticket", () => {
      const fields = document.querySelector("#fields");
      fields.open = true;
      focus(fields.querySelector("input:not([type=hidden])"));
    });
    keys.add("a", "Assign it to me", () => document.querySelector("#take")?.requestSubmit() ?? false);
  }
  keys.add("j", "Next message", () => step(1));
  keys.add("k", "Message before", () => step(-1));
});
