// Follows the cluster over server-sent events and shows it.

import { arm } from "./actions.js";
import { clock, fill, h, heads, instances, seconds, stream, verdict, WORDS } from "./view.js";

const SILENT_S = 12; // the server says something every 5 s
const LAGS_MAX = 300;
const HIDDEN_MS = 60000;
const FEW = matchMedia("(max-width: 680px)").matches ? 1 : 3; // so many streams begin unfolded

const state = { doc: null, heardAt: 0, source: null, retry: 0, hidden: 0, lags: new Map() };
const $ = (id) => document.getElementById(id);
const KEYED = { streams: "name", instances: "id" };

// ------------------------------------------------------------------------- what is heard

function heard(asOf) {
  state.heardAt = performance.now();
  if (state.doc && asOf) state.doc.as_of = asOf;
}

function take(doc) {
  state.doc = doc;
  heard(doc.as_of);
  note();
  render();
}

function change(changes) {
  const { gone = {}, ...fields } = changes;
  const doc = { ...state.doc };
  for (const [name, value] of Object.entries(fields)) {
    doc[name] = KEYED[name] ? merged(doc[name], value, KEYED[name]) : value;
  }
  for (const [name, keys] of Object.entries(gone)) doc[name] = doc[name].filter((item) => !keys.includes(item[KEYED[name]]));
  take(doc);
}

function merged(list, changed, key) {
  const items = new Map(list.map((item) => [item[key], item]));
  changed.forEach((item) => items.set(item[key], item));
  return [...items.values()].sort((one, other) => (one[key] < other[key] ? -1 : 1));
}

function note() {
  if (state.doc.stale) return;
  for (const each of state.doc.streams) {
    if (each.lag_s === null) continue;
    const lags = state.lags.get(each.name) || [];
    lags.push(each.lag_s);
    state.lags.set(each.name, lags.slice(-LAGS_MAX));
  }
}

function follow() {
  clearTimeout(state.retry);
  state.source?.close();
  const source = new EventSource("events");
  state.source = source;
  source.addEventListener("snapshot", (event) => take(JSON.parse(event.data)));
  source.addEventListener("changes", (event) => change(JSON.parse(event.data)));
  source.addEventListener("as_of", (event) => { heard(JSON.parse(event.data).as_of); render(); });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) { // refused, say because too many follow: ask now and then instead
      fetch("api/cluster").then((answer) => answer.json()).then(take).catch(() => render());
      state.retry = setTimeout(follow, 5000);
    }
  });
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(state.hidden);
  if (document.hidden) state.hidden = setTimeout(() => { state.source?.close(); state.source = null; }, HIDDEN_MS);
  else if (!state.source) follow();
});

// ------------------------------------------------------------------------- what is shown

function render() {
  const { doc } = state;
  const silentS = (performance.now() - state.heardAt) / 1000;
  const lost = !doc || silentS > SILENT_S;
  const stale = lost || doc.stale;
  document.body.classList.toggle("stale", Boolean(doc) && stale);
  if (!doc) return;
  const now = Date.now() / 1000;
  banner(doc, lost, silentS, now);
  const pulse = $("pulse");
  pulse.className = `pulse ${lost ? "lost" : doc.stale ? "" : "live"} muted`;
  pulse.textContent = lost ? "no contact" : doc.stale ? `stale, as of ${doc.as_of ? clock(doc.as_of) : "never"}` : `live, as of ${clock(doc.as_of)}`;
  $("root").textContent = doc.root;
  fill($("verdict"), stale ? [h("span", { class: "pill" }, "not known now")] : verdict(doc.streams));
  $("served").textContent = `Served by ${doc.served_by.member || "an instance that is starting"}${doc.served_by.version ? `, hasync ${doc.served_by.version}` : ""}${doc.actions ? "; admin actions are on" : "; read-only"}`;
  document.title = stale ? "hasync: not known now" : title(doc);
  const context = { now, stale, actions: doc.actions, lags: (name) => state.lags.get(name) || [], opened };
  fill($("streams"), doc.streams.length ? [heads(), ...doc.streams.map((each) => stream(each, context))] : [h("p", { class: "empty" }, doc.as_of ? "No stream yet: 'hasync config apply' makes one." : "Nothing is known yet.")]);
  fill($("instances"), doc.instances.length ? [instances(doc.instances, context)] : [h("p", { class: "empty" }, "No instance shows itself in ZooKeeper.")]);
  document.dispatchEvent(new CustomEvent("shown", { detail: { doc, stale } }));
}

function banner(doc, lost, silentS, now) {
  const then = doc.as_of ? `What you see was true at ${clock(doc.as_of)}, ${seconds(Math.max(0, now - doc.as_of))} ago.` : "Nothing is known yet.";
  const text = lost ? `This instance has not answered for ${seconds(silentS)}. ${then}` : doc.stale ? `ZooKeeper cannot be read: ${doc.trouble}. ${then}` : "";
  const shown = $("banner");
  shown.hidden = !text;
  if (shown.textContent !== text) shown.textContent = text;
}

function title(doc) {
  const bad = doc.streams.filter((each) => each.state !== "running" && each.state !== "disabled");
  if (!bad.length) return `hasync: ${doc.streams.length} running`;
  return `hasync: ${bad.length === 1 ? `${bad[0].name} ${WORDS[bad[0].state]}` : `${bad.length} of ${doc.streams.length} not running`}`;
}

// A stream is unfolded at first when there are few, or when it is not well; afterwards it is as the reader left it.
function opened(doc) {
  return state.doc.streams.length <= FEW || doc.state !== "running";
}

document.addEventListener("click", (event) => {
  const copied = event.target.closest("[data-copy]");
  if (!copied) return;
  navigator.clipboard?.writeText(copied.dataset.copy).then(() => { copied.textContent = "copied"; }, () => { copied.textContent = "select it in the title"; });
});

arm(() => state.doc);
setInterval(render, 1000);
follow();
