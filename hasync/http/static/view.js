// From the document of api/cluster to elements. Nothing here fetches, and nothing becomes markup but by createElement.

const SVG = "http://www.w3.org/2000/svg";
export const WORDS = { running: "running", degraded: "degraded", halted: "halted", paused: "paused", disabled: "disabled", no_leader: "no leader" };
export const STEPS = ["lock", "read", "epoch", "claim", "open", "first_batch"];
const ENDINGS = {
  fenced: "fenced by a newer leader", session_lost: "lost its ZooKeeper session", lock_lost: "lost its lock", deadline: "ZooKeeper away too long",
  shutdown: "shut down in order", handover: "handed over", source_claimed: "its source was claimed", local_fault: "a fault of its own",
  regressed: "Redis lost writes", config: "a new config", paused: "paused", halted: "halted", "without a word": "died without a word",
};

export function h(tag, props, ...children) {
  const element = tag === "svg" || tag === "path" ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("--")) element.style.setProperty(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Bring old to what fresh is, touching only what differs: focus, selection and open parts stay where they are.
export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.dataset?.key !== fresh.dataset?.key) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (name !== "style" && name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "style" && name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.style && old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
  fill(old, [...fresh.childNodes]);
}

export function fill(parent, children) {
  const keyed = new Map([...parent.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]));
  children.forEach((fresh, at) => {
    let old = parent.childNodes[at];
    const same = fresh.dataset?.key && keyed.get(fresh.dataset.key);
    if (same && same !== old) {
      parent.insertBefore(same, old || null);
      old = same;
    }
    if (old) morph(old, fresh);
    else parent.append(fresh);
  });
  while (parent.childNodes.length > children.length) parent.lastChild.remove();
}

// ------------------------------------------------------------------ how values are written

export function seconds(s) {
  if (s === null || s === undefined) return "?";
  if (s < 60) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${pad(Math.floor(s % 60))} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${pad(Math.floor((s % 3600) / 60))} m`;
  return `${Math.floor(s / 86400)} d ${pad(Math.floor((s % 86400) / 3600))} h`;
}
export function milliseconds(ms) {
  return ms >= 1000 ? `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s` : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
export function bytes(count) {
  if (count === null || count === undefined) return "?";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  for (; count >= 1000 && at < units.length - 1; at += 1) count /= 1000;
  return `${at === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${units[at]}`;
}
export function clock(unix) {
  const at = new Date(unix * 1000);
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return new Date().toDateString() === at.toDateString() ? time : `${day} ${time}`;
}
function pad(number) { return String(number).padStart(2, "0"); }
function moment(unix, now) {
  if (!unix) return "–";
  return h("time", { datetime: new Date(unix * 1000).toISOString(), title: new Date(unix * 1000).toISOString() }, `${clock(unix)} `, h("span", { class: "muted" }, `${seconds(Math.max(0, now - unix))} ago`));
}
export function gtidShort(set) {
  const parts = set.split(",").map((part) => part.trim());
  const short = parts[0].replace(/^([0-9a-f]{8})-[0-9a-f-]{27}/i, "$1…");
  return parts.length > 1 ? `${short} +${parts.length - 1} more` : short;
}
function pill(state, word) { return h("span", { class: `pill ${state}` }, word || state); }

// ------------------------------------------------------------------------------ streams

export function heads() {
  return h("div", { class: "heads", "aria-hidden": "true", "data-key": " heads" },
    h("span", {}, "Stream"), h("span", {}, "State"), h("span", {}, "Leader"), h("span", { class: "num opt" }, "Epoch"),
    h("span", { class: "num" }, "Lag"), h("span", { class: "num" }, "Behind"), h("span", { class: "num opt" }, "Rows/s"), h("span", { class: "num opt" }, "Config"), h("span"));
}

export function stream(doc, context) {
  return h("details", { class: "stream", "data-key": `s:${doc.name}`, "data-stream": doc.name, open: context.opened(doc) }, summaryLine(doc, context), body(doc, context));
}

function summaryLine(doc, { stale }) {
  const known = !stale && doc.leader;
  const high = known && doc.lag_s !== null && doc.lag_s > 10;
  const older = Object.keys(doc.config.older).length > 0;
  const label = (text) => h("span", { class: "cell-label" }, text);
  return h("summary", {},
    h("span", { class: "name", title: doc.name }, doc.name),
    h("span", { class: "state" }, pill(doc.state, `${stale ? "was " : ""}${WORDS[doc.state]}`)),
    h("span", { class: "who" }, label("leader"), doc.leader ? doc.leader.member : h("span", { class: "muted" }, "none")),
    h("span", { class: "num opt" }, label("epoch"), doc.leader ? doc.leader.epoch : "–"),
    h("span", { class: `num lag${high ? " high" : ""}` }, label("lag"), doc.leader ? (known ? seconds(doc.lag_s) : "?") : "–"),
    h("span", { class: "num" }, label("behind"), doc.leader ? (known ? bytes(doc.behind_bytes) : "?") : "–"),
    h("span", { class: "num opt" }, label("rows/s"), known && doc.rows_per_s !== null ? Math.round(doc.rows_per_s).toLocaleString("en") : doc.leader ? "?" : "–"),
    h("span", { class: "num opt" }, label("config"), doc.config.revision === null ? "none" : `r${doc.config.revision}`, older ? " *" : ""),
    h("span", { class: "chevron", "aria-hidden": "true" }));
}

function body(doc, context) {
  const notes = remarks(doc, context.now);
  return h("div", { class: "body" },
    notes.length ? h("div", { class: "notes wide" }, notes) : null,
    h("div", {}, facts(doc, context), Math.max(0, ...context.lags(doc.name)) >= 1 ? trend(context.lags(doc.name)) : null),
    h("div", {}, h("h3", {}, "Last takeovers"), takeovers(doc, context.now)),
    h("div", { class: "wide foot" },
      h("ul", { class: "roles", "aria-label": `Instances of ${doc.name}` }, doc.members.map((member) => role(member, doc, context.stale))),
      context.actions && !context.stale ? h("div", { class: "actions" }, buttons(doc)) : null));
}

function remarks(doc, now) {
  const notes = [];
  const add = (kind, title, ...text) => notes.push(h("p", { class: `note ${kind}` }, title ? h("b", {}, `${title} `) : null, ...text));
  if (doc.halt) {
    add("bad", "Halted", `by ${doc.halt.member}, ${clock(doc.halt.at)} (${seconds(now - doc.halt.at)} ago): ${doc.halt.code}: ${doc.halt.reason}`);
    const resume = /\bresume\b/.test(doc.halt.remedy || "") ? "" : `${doc.halt.remedy ? "; then " : ""}resume the stream`;
    add("bad", "Remedy", `${doc.halt.remedy || ""}${resume} (hasync resume -s ${doc.name}).`);
  }
  if (doc.pause) {
    const until = doc.pause.until ? ` until ${clock(doc.pause.until)} (${seconds(Math.max(0, doc.pause.until - now))} left)` : " until somebody resumes it";
    add("warn", "Paused", `by ${doc.pause.by}, ${clock(doc.pause.at)} (${seconds(now - doc.pause.at)} ago)${until}${doc.pause.reason ? `: ${doc.pause.reason}` : "."}`);
  }
  if (doc.switchover) add("warn", "Switching over", `to ${doc.switchover.to}, asked by ${doc.switchover.by} at ${clock(doc.switchover.at)}${doc.switchover.reason ? `: ${doc.switchover.reason}` : "."}`);
  const told = (text) => (doc.halt && text.startsWith("halted by")) || (doc.pause && text.startsWith("no leader: paused")) || text.includes("is asked for by");
  doc.problems.filter((text) => !told(text)).forEach((text) => add("bad", "", text));
  doc.warnings.filter((text) => !told(text)).forEach((text) => add("warn", "", text));
  return notes;
}

function facts(doc, { now, stale }) {
  const rows = [];
  const row = (term, ...value) => rows.push(h("dt", {}, term), h("dd", { class: "break" }, ...value));
  if (doc.leader) row("Leader", `${doc.leader.member}, epoch ${doc.leader.epoch}, since `, moment(doc.leader.since, now));
  if (doc.acknowledged) {
    const ago = doc.acknowledged.at ? `, ${seconds(Math.max(0, now - doc.acknowledged.at))} ago` : "";
    row("Acknowledged", h("span", { class: "mono" }, doc.acknowledged.place), " ", h("span", { class: "muted" }, `batch ${doc.acknowledged.seq.toLocaleString("en")}${ago}`));
    if (doc.acknowledged.gtid_set) row("GTID", h("span", { class: "mono", title: doc.acknowledged.gtid_set }, gtidShort(doc.acknowledged.gtid_set)), " ", h("button", { class: "copy", type: "button", "data-copy": doc.acknowledged.gtid_set, "aria-label": `Copy the GTID set of ${doc.name}` }, "copy"));
  } else row("Acknowledged", h("span", { class: "muted" }, "nothing yet"));
  if (doc.source_end && !stale) row("Source's end", h("span", { class: "mono" }, doc.source_end), doc.behind_bytes ? h("span", { class: "muted" }, ` ${bytes(doc.behind_bytes)} ahead`) : h("span", { class: "muted" }, " reached"));
  if (doc.config.revision !== null) {
    row("Config", `revision ${doc.config.revision} by ${doc.config.applied_by}, `, moment(doc.config.applied_at, now), doc.config.comment ? h("span", { class: "muted" }, ` “${doc.config.comment}”`) : null);
    const older = Object.entries(doc.config.older);
    if (older.length) row("Still older", older.map(([name, number]) => h("span", { class: "tag old" }, `${name}: r${number}`)));
  }
  return h("dl", { class: "facts" }, rows);
}

function role(member, doc, stale) {
  const kind = member.role === "leader" ? "leader" : member.role === "standby" && member.able ? "ready" : member.role;
  const older = doc.config.older[member.id];
  const told = (member.role === "paused" && doc.pause) || (member.role === "halted" && doc.halt);
  return h("li", {}, h("span", {}, member.id), pill(kind, `${stale ? "was " : ""}${member.role === "standby" && member.able ? "standby, able" : member.role}`),
    member.eligibility === "preferred" ? null : h("span", { class: "tag" }, member.eligibility), older ? h("span", { class: "tag old" }, `config r${older}`) : null,
    member.detail && !told ? h("span", { class: "muted break" }, member.detail) : null);
}

function buttons(doc) {
  const button = (action, text) => h("button", { class: "act", type: "button", "data-act": action, "data-on": doc.name }, text);
  return [
    doc.leader && !doc.pause ? button("switchover", "Switch over…") : null,
    doc.pause ? null : button("pause", "Pause…"),
    doc.pause || doc.halt || doc.switchover ? button("resume", doc.halt ? "Resume after the halt…" : "Resume…") : null,
  ];
}

// ---------------------------------------------------------------------------- takeovers

function takeovers(doc, now) {
  const shown = doc.takeovers.slice(0, 5);
  if (!shown.length) return h("p", { class: "muted" }, "none yet");
  // The first batch waits for somebody to commit: on a quiet source it is long and says nothing, so it is drawn shortened.
  const worked = shown.map((each) => STEPS.slice(0, 5).reduce((sum, step) => sum + (each.steps_ms[step] || 0), 0));
  const scale = Math.max(...worked, 0.1) * 1.35;
  return [h("ol", { class: "takeovers" }, shown.map((each, at) => takeover(each, worked[at], scale, now))), legend(shown)];
}

function takeover(each, worked, scale, now) {
  const first = each.steps_ms.first_batch;
  const parts = STEPS.filter((step) => each.steps_ms[step] !== undefined);
  const spoken = parts.map((step) => `${step.replace("_", " ")} ${milliseconds(each.steps_ms[step])}`).join(", ");
  const width = (step) => (step === "first_batch" ? Math.min(first, scale - worked) : each.steps_ms[step]) / scale * 100;
  return h("li", { class: "takeover", "data-key": `t:${each.epoch}` },
    h("span", { class: "epoch num" }, each.epoch),
    h("span", {}, each.from && each.from !== each.member ? `${each.from} → ${each.member}` : each.member),
    h("span", { class: "muted after", title: each.why }, each.after ? ENDINGS[each.after] || each.after : "the first"),
    h("span", { class: "num gap", title: "from the old leader's last word to the new one's first" }, each.gap_s === null ? "" : `gap ${milliseconds(each.gap_s * 1000)}`),
    parts.length ? h("span", { class: "bar", role: "img", "aria-label": spoken, title: spoken }, parts.map((step) => h("i", { class: `s${STEPS.indexOf(step)}`, "--w": width(step).toFixed(2) }))) : null,
    h("span", { class: "muted when" }, `${clock(each.since)}, ${seconds(Math.max(0, now - each.since))} ago`, parts.length ? `; ready in ${milliseconds(worked)}` : "", first !== undefined ? `, first batch ${milliseconds(first)} later` : ""));
}

function legend(shown) {
  const used = STEPS.filter((step) => shown.some((each) => each.steps_ms[step] !== undefined));
  return used.length ? h("p", { class: "legend", "aria-hidden": "true" }, used.map((step) => h("span", {}, h("i", { class: `s${STEPS.indexOf(step)}` }), step.replace("_", " ")))) : null;
}

function trend(lags) {
  const top = Math.max(1, ...lags);
  const points = lags.map((lag, at) => `${(at / (lags.length - 1) * 100).toFixed(1)},${(30 - lag / top * 28).toFixed(1)}`);
  const line = `M${points.join("L")}`;
  return h("div", { class: "trend" }, h("h3", {}, `Lag since this page is open, at most ${seconds(Math.max(...lags))}`),
    h("svg", { class: "spark", viewBox: "0 0 100 32", preserveAspectRatio: "none", role: "img", "aria-label": `lag, at most ${seconds(Math.max(...lags))}` }, h("path", { class: "area", d: `${line}L100,32L0,32Z` }), h("path", { d: line })));
}

// ---------------------------------------------------------------------------- instances

export function instances(list, { now, stale }) {
  const columns = ["Instance", "Ready", "Leads", "Stands by", "Version", "Config", "Up for", "Restarts", "Address"];
  const newest = [...new Set(list.map((each) => each.version))].length > 1;
  return h("table", { class: "sheet", "data-key": "sheet" },
    h("thead", {}, h("tr", {}, columns.map((name, at) => h("th", { scope: "col", class: at === 3 || at === 7 ? "num" : null }, name)))),
    h("tbody", {}, list.map((each) => h("tr", { "data-key": `i:${each.id}` },
      h("td", {}, h("b", {}, each.id), each.serves_this_page ? [" ", h("span", { class: "tag here" }, "serves this page")] : null, each.weight === 1 ? null : [" ", h("span", { class: "tag" }, `weight ${each.weight}`)]),
      h("td", { "data-label": "Ready" }, h("span", {}, readiness(each, stale), each.why || each.reasons.length ? h("div", { class: "why", title: each.why || each.reasons.join("; ") }, each.why || each.reasons.join("; ")) : null)),
      h("td", { class: "leads", "data-label": "Leads" }, leads(each)),
      h("td", { class: "num", "data-label": "Stands by" }, each.stands_by_count),
      h("td", { "data-label": "Version" }, h("span", { class: newest ? "tag" : null }, each.version || "?")),
      h("td", { "data-label": "Config" }, each.older_config.length ? h("span", { class: "tag old", title: each.older_config.join(", ") }, `older for ${each.older_config.length}`) : each.reached ? "current" : "?"),
      h("td", { "data-label": "Up for" }, each.started_at ? seconds(Math.max(0, now - each.started_at)) : "?"),
      h("td", { class: "num", "data-label": "Restarts", title: each.last_exit }, each.restarts),
      h("td", { class: "mono address", "data-label": "Address" }, each.address || "–")))));
}

function leads(each) {
  if (!each.leads.length) return "–";
  return each.leads.length > 4 ? h("span", { title: each.leads.join(", ") }, `${each.leads.length} streams`) : each.leads.join(", ");
}

function readiness(each, stale) {
  if (stale || each.ready === null || each.ready === undefined) return pill("unknown", "unknown");
  return each.ready ? pill("ready", "ready") : pill("unready", "not ready");
}

// ------------------------------------------------------------------------------ the top

export function verdict(streams) {
  if (!streams.length) return [h("span", { class: "muted" }, "no stream yet")];
  const order = ["halted", "no_leader", "degraded", "paused", "disabled", "running"];
  return order.map((state) => [state, streams.filter((each) => each.state === state).length]).filter(([, count]) => count)
    .map(([state, count]) => h("span", { class: `pill ${state}`, "data-key": `v:${state}` }, `${count} ${WORDS[state]}`));
}
