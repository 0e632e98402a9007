// Switchover, pause and resume: asks, confirms, does, and tells what became of it.

import { h } from "./view.js";

const KEPT = "hasync-admin-token"; // in this tab only, until it is closed
const WATCHED_MS = 60000;
const TEXTS = {
  switchover: { title: "Switch over", button: "Switch over", words: "The leader finishes what it has read and hands over to a standby, within a fraction of a second. If the standby does not come forward, nothing is interrupted; if it has just died or hangs, another one leads when its session has ended." },
  pause: { title: "Pause", button: "Pause", words: "The leader applies what it has read and steps down. Nobody leads until the stream is resumed; changes wait in the source's binlog meanwhile." },
  resume: { title: "Resume", button: "Resume", words: "Withdraws the pause and clears a halt. After a halt, remove its cause first, or the stream halts again." },
};

let current = () => null;
let asked = null;

const $ = (id) => document.getElementById(id);
const find = (name) => current()?.streams.find((each) => each.name === name);

export function arm(read) {
  current = read;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) open(button.dataset.act, button.dataset.on);
  });
  document.addEventListener("shown", watch);
}

function open(action, name) {
  const doc = find(name);
  if (!doc) return;
  const text = TEXTS[action];
  const able = doc.members.filter((member) => member.role === "standby" && member.able);
  const field = (label, input) => h("label", {}, label, input);
  $("ask").replaceChildren(
    h("h2", { id: "ask-title" }, `${text.title}: ${name}`),
    h("p", { class: "muted" }, text.words),
    h("form", { id: "ask-form" },
      action === "switchover" ? field("Who is to lead", h("select", { name: "to" }, h("option", { value: "" }, able.length ? "the next standby that can" : "no standby is able now"), able.map((member) => h("option", { value: member.id }, member.id)))) : null,
      action === "resume" ? null : field("Reason, for whoever looks later", h("input", { name: "reason", maxlength: "500", autocomplete: "off" })),
      action === "pause" ? field("For how long", h("select", { name: "for" }, [["", "until somebody resumes it"], ["15m", "15 minutes"], ["1h", "1 hour"], ["4h", "4 hours"], ["1d", "1 day"]].map(([value, words]) => h("option", { value }, words)))) : null,
      sessionStorage.getItem(KEPT) ? null : field("Admin token (kept in this tab until it is closed)", h("input", { name: "token", type: "password", required: true, autocomplete: "off", spellcheck: "false" })),
      h("p", { class: "fault", role: "alert", id: "ask-fault" }),
      h("div", { class: "row" }, h("button", { class: "act", type: "button", id: "ask-cancel" }, "Cancel"), h("button", { class: "act primary", type: "submit", id: "ask-do" }, text.button))),
  );
  $("ask-cancel").addEventListener("click", () => $("ask").close());
  $("ask-form").addEventListener("submit", (event) => { event.preventDefault(); send(action, name, event.target); });
  if (!$("ask").open) $("ask").showModal();
}

async function send(action, name, form) {
  const told = Object.fromEntries(new FormData(form));
  const token = told.token || sessionStorage.getItem(KEPT) || "";
  delete told.token;
  const body = Object.fromEntries(Object.entries(told).filter(([, value]) => value));
  $("ask-do").disabled = true;
  try {
    const answer = await fetch(`api/streams/${encodeURIComponent(name)}/${action}`, {
      method: "POST", credentials: "omit", redirect: "error", headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` }, body: JSON.stringify(body),
    });
    settle(action, name, token, answer.status, await answer.json());
  } catch {
    fault("This instance did not answer; look whether it was done before you try again.");
  } finally {
    if ($("ask-do")) $("ask-do").disabled = false;
  }
}

function settle(action, name, token, status, answer) {
  if (status === 401) {
    sessionStorage.removeItem(KEPT);
    open(action, name);
    fault(answer.message);
    $("ask-form").elements.token.focus();
    return;
  }
  if (status >= 400) {
    if (status !== 429) sessionStorage.setItem(KEPT, token);
    fault(answer.hint ? `${answer.message} (${answer.hint})` : answer.message);
    return;
  }
  sessionStorage.setItem(KEPT, token);
  $("ask").close();
  toast(`${name}: ${answer.outcome}`);
  asked = { action, name, epoch: find(name)?.leader?.epoch || 0, until: Date.now() + WATCHED_MS };
}

function fault(text) { $("ask-fault").textContent = text; }

// Say how it ended, from what the page is told anyway.
function watch() {
  if (!asked) return;
  const doc = find(asked.name);
  const leader = doc?.leader;
  const end = (text) => { toast(`${asked.name}: ${text}`); asked = null; };
  if (asked.action === "pause" && doc && !leader && doc.state === "paused") end("paused, nobody leads");
  else if (asked.action !== "pause" && leader && leader.epoch > asked.epoch) end(`${leader.member} leads, epoch ${leader.epoch}`);
  else if (asked.action === "resume" && leader && leader.epoch === asked.epoch) asked = null;
  else if (Date.now() > asked.until) end("not yet done after a minute; see why in the stream's remarks");
}

function toast(text) {
  const shown = h("p", { class: "toast" }, text);
  $("toasts").append(shown);
  setTimeout(() => shown.remove(), 8000);
}
