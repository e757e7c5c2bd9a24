"use strict";
const $ = id => document.getElementById(id);
const slider = $("s"), old = $("old"), fresh = $("new");
const asked = new URLSearchParams(location.search);
let query = "", before = [], running = false, again = false;

function shown() {
  if (!slider) return;
  const s = Number(slider.value);
  const words = s === 0 ? "before" : s === 1 ? "as aligned" : "";
  $("value").textContent = s.toFixed(2) + (words ? " " + words : "");
  slider.setAttribute("aria-valuetext", $("value").textContent);
}

async function find(strength) {
  const parameters = new URLSearchParams({ q: query, k: $("k").value });
  if (strength !== null) parameters.set("strength", strength);
  const answer = await fetch("/search?" + parameters, { headers: { accept: "application/json" } });
  const document_ = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(document_?.error?.message || "The service answered " + answer.status + ".");
  return document_.hits;
}

/* Tiles are kept by id, so that a photo that only moves is not drawn afresh. */
function draw(list, hits, mark) {
  const kept = new Map([...list.children].map(tile => [tile.dataset.id, tile]));
  list.replaceChildren(...hits.map((hit, rank) => {
    const tile = kept.get(hit.id) || make(hit);
    const [label, words] = mark ? mark(hit, rank) : ["", ""];
    const badge = tile.querySelector(".mark");
    badge.textContent = label;
    badge.hidden = !label;
    badge.className = label === "new" ? "mark fresh" : "mark";
    tile.firstChild.setAttribute("aria-label", `Photo ${rank + 1}, ${hit.name}${words ? ", " + words : ""}`);
    tile.firstChild.title = `${hit.name}\nsimilarity ${hit.similarity.toFixed(3)}`;
    return tile;
  }));
}

function make(hit) {
  const tile = document.createElement("li"), link = document.createElement("a"), image = new Image();
  const badge = document.createElement("span");
  tile.dataset.id = hit.id;
  link.href = `/photos/${hit.id}?size=large`;
  image.src = `/photos/${hit.id}`;
  image.alt = "";
  image.decoding = "async";
  image.onerror = () => {
    const words = document.createElement("span");
    words.textContent = hit.name + " cannot be shown";
    image.replaceWith(words);
    link.classList.add("broken");
  };
  badge.className = "mark";
  link.append(image, badge);
  link.onclick = event => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    $("picture").src = link.href;
    $("picture").alt = hit.name;
    $("caption").textContent = hit.name;
    $("large").showModal();
  };
  tile.append(link);
  return tile;
}

function moved(hit, rank) {
  const place = before.findIndex(one => one.id === hit.id);
  if (place < 0) return ["new", "not in the row before alignment"];
  if (place === rank) return ["", ""];
  const by = Math.abs(place - rank);
  return place > rank ? ["↑" + by, `${by} up`] : ["↓" + by, `${by} down`];
}

function told(hits) {
  if (!hits.length) return "No photo was found.";
  if (!slider) return `${hits.length} photos, best first.`;
  const count = hits.filter(hit => !before.some(one => one.id === hit.id)).length;
  return `${count} of ${hits.length} photos ${count === 1 ? "is" : "are"} new at strength ${Number(slider.value).toFixed(2)}.`;
}

/* One search at a time; what changes meanwhile is searched for next, and nothing in between. */
async function refresh(anew) {
  if (!query) return;
  if (running) { again = again || (anew ? "anew" : "moved"); if (anew) again = "anew"; return; }
  running = true;
  document.body.classList.add("busy");
  try {
    const strength = slider ? slider.value : null;
    if (anew && slider) {
      const [first, second] = await Promise.all([find(0), find(strength)]);
      before = first;
      draw(old, first);
      draw(fresh, second, moved);
      $("status").textContent = told(second);
    } else {
      const hits = await find(strength);
      draw(fresh, hits, slider ? moved : null);
      $("status").textContent = told(hits);
    }
    $("problem").hidden = $("empty").hidden = true;
    $("rows").hidden = false;
  } catch (error) {
    $("problem").textContent = error instanceof TypeError ? "The service does not answer." : error.message;
    $("problem").hidden = false;
  }
  running = false;
  document.body.classList.remove("busy");
  remember();
  if (again) { const whole = again === "anew"; again = false; refresh(whole); }
}

function remember() {
  const state = new URLSearchParams({ q: query, k: $("k").value });
  if (slider) state.set("s", slider.value);
  history.replaceState(null, "", "?" + state);
}

$("ask").onsubmit = event => {
  event.preventDefault();
  query = $("q").value.trim();
  if (matchMedia("(pointer: coarse)").matches) $("q").blur(); // the keyboard would lie over the photos
  refresh(true);
};
$("k").onchange = () => refresh(true);
if (slider) slider.oninput = () => { shown(); refresh(false); };
$("close").onclick = () => $("large").close();
document.addEventListener("keydown", event => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || $("large").open) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName) && document.activeElement !== slider) return;
  event.preventDefault();
  $("q").focus();
  $("q").select();
});
if (slider && asked.get("s")) slider.value = asked.get("s");
if ([...$("k").options].some(option => option.value === asked.get("k"))) $("k").value = asked.get("k");
shown();
if (asked.get("q")) {
  $("q").value = query = asked.get("q").trim();
  refresh(true);
}
