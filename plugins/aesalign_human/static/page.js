// Keys, enlarged photos, and answers that are sent without a reload. The page works without any of it.
"use strict";

const pageOf = (root) => root.querySelector("#page");
const say = (words, wrong) => {
  const status = document.querySelector("#status");
  status.textContent = words;
  status.classList.toggle("wrong", Boolean(wrong));
};

// The questions, one of which is current.
const asks = () => [...document.querySelectorAll(".ask")];
const current = () => document.querySelector(".ask.current");
const checked = (ask) => ask.querySelector("input:checked");
const turnTo = (ask) => asks().forEach((one) => one.classList.toggle("current", one === ask));
const firstOpen = () => asks().find((ask) => !checked(ask));

function answer(value, { goOn }) {
  const ask = current() ?? asks()[0];
  const input = ask?.querySelector(`input[value="${value}"]`);
  if (!input) return;
  input.checked = true;
  input.focus({ preventScroll: true });
  if (goOn && firstOpen()) turnTo(firstOpen());
}

function lean(right) {
  const given = Number(checked(current() ?? asks()[0])?.value ?? 0);
  // The first press is the middle of its side; more presses go on along the scale.
  answer(given ? Math.min(7, Math.max(1, given + (right ? 1 : -1))) : right ? 6 : 2, { goOn: false });
}

function step(by) {
  const all = asks();
  const ask = all[all.indexOf(current()) + by];
  if (!ask) return;
  turnTo(ask);
  (checked(ask) ?? ask.querySelector("input")).focus({ preventScroll: true });
}

// Answers go out and the next page comes in; nothing on the page moves before the answer is kept.
let isSending = false;
async function send(form, button) {
  if (isSending) return;
  isSending = true;
  const data = new URLSearchParams(new FormData(form));
  if (button?.name) data.append(button.name, button.value);
  try {
    const response = await fetch(form.getAttribute("action"), { method: "POST", body: data });
    const next = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!pageOf(next)) throw new Error("no page");
    if (response.ok) history.pushState(null, "", response.url);
    // An answer that was not kept stays where it is, to be sent again.
    if (response.status !== 507) show(next);
    if (!response.ok) say([...next.querySelectorAll(".problem, .sheet h1, .lede")].map((one) => one.textContent).join(" "), true);
  } catch {
    say("Not kept: the page does not answer. Your answer is still here; try again when it is back.", true);
  } finally {
    isSending = false;
  }
}

function show(next) {
  document.title = next.title;
  pageOf(document).replaceWith(document.adoptNode(pageOf(next)));
  window.scrollTo(0, 0);
  document.querySelector("h1")?.focus({ preventScroll: true });
  say(document.querySelector(".count")?.textContent ?? "");
  begin();
}

// Enlarged photos.
const large = () => document.querySelector("#large");
function enlarge(link) {
  const links = [...document.querySelectorAll(`.photos a[data-side="${link.dataset.side}"]`)];
  const image = large().querySelector("img");
  large().link = link;
  image.src = link.href;
  image.alt = link.querySelector("img").alt;
  large().querySelector(".where").textContent = image.alt;
  large().steps = { links, at: links.indexOf(link) };
  if (!large().open) large().showModal();
}
function go(where) {
  const { links, at } = large().steps;
  if (where === "close") return large().close();
  if (where !== "side") return enlarge(links[(at + Number(where) + links.length) % links.length]);
  const others = [...document.querySelectorAll(".photos a")].filter((one) => !links.includes(one));
  return enlarge(others[Math.min(at, others.length - 1)]);
}

function begin() {
  if (asks().length) turnTo(firstOpen() ?? asks()[0]);
  // So that the next page's photos are here already.
  const upcoming = document.querySelector(".vote")?.dataset.upcoming ?? "";
  upcoming.split(" ").filter(Boolean).forEach((name) => (new Image().src = `/photo/${name}/small`));
}

document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.target.getAttribute("action") === "/name") return;
  event.preventDefault();
  send(event.target, event.submitter);
});
document.addEventListener("change", (event) => {
  const ask = event.target.closest(".ask");
  if (ask) turnTo(firstOpen() ?? ask);
});
document.addEventListener("focusin", (event) => {
  if (event.target.matches(".ask input:focus-visible")) turnTo(event.target.closest(".ask"));
});
document.addEventListener("click", (event) => {
  const link = event.target.closest(".photos a");
  const button = event.target.closest("[data-go]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    enlarge(link);
  }
  if (button) go(button.dataset.go);
});
window.addEventListener("popstate", () => location.reload());

const KEYS = {
  ArrowLeft: () => lean(false),
  ArrowRight: () => lean(true),
  ArrowUp: () => step(-1),
  ArrowDown: () => step(1),
  Enter: () => questions()?.requestSubmit(questions().querySelector('[value="save"]')),
  s: () => questions()?.requestSubmit(questions().querySelector('[value="skip"]')),
  b: () => document.querySelector('a[rel="prev"]')?.click(),
  l: () => enlarge(document.querySelector(".photos a")),
};
const ENLARGED = { ArrowLeft: "-1", ArrowRight: "1", ArrowUp: "side", ArrowDown: "side" };
const questions = () => document.querySelector("#questions");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=radio])")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (large()?.open) {
    if (key in ENLARGED) {
      event.preventDefault();
      go(ENLARGED[key]);
    }
    return;
  }
  if (key === "Enter" && event.target.matches("a, button, summary")) return;
  if (key === "b" && !questions()) return KEYS.b();
  if (!questions()) return;
  if (/^[1-7]$/.test(key)) answer(key, { goOn: true });
  else if (key in KEYS) {
    event.preventDefault();
    KEYS[key]();
  }
});

begin();
