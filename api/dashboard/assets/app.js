// What pages gain from JavaScript. Everything works without it.
"use strict";

(() => {
  const exact = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    timeZoneName: "short", // forms and charts are in UTC
  });
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  // A moment as forms take it; the server writes the same.
  const inUTC = (at) => at.toISOString().slice(0, 19).replace("T", " ") + " UTC";

  // Moments in the viewer's zone, with the zone; those marked data-ago as how
  // long ago. A pointer on either reads UTC.
  function showTimes(root) {
    const now = Date.now();
    for (const element of root.querySelectorAll("time[datetime]")) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const text = exact.format(at);
      if (!("ago" in element.dataset)) {
        element.textContent = text;
        element.title = inUTC(at);
        continue;
      }
      const seconds = (at.getTime() - now) / 1000;
      const [unit, length] = units.find(([, size]) => Math.abs(seconds) >= size) || units[3];
      element.textContent = Math.abs(seconds) > 7 * 86400 ? text : relative.format(Math.round(seconds / length), unit);
      element.title = `${text} = ${inUTC(at)}`;
    }
  }

  function announce(text) {
    const announcer = document.getElementById("announcer");
    if (announcer) announcer.textContent = text;
  }

  // What needs a script is hidden until one is there.
  function wake(root) {
    showTimes(root);
    for (const button of root.querySelectorAll("[data-copy], [data-add-row]")) button.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const source = document.getElementById(copy.dataset.copy);
      const text = "value" in source ? source.value : source.textContent;
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
        announce("Copied");
      } catch {
        if (source.select) source.select();
        announce("Press Ctrl-C to copy");
      }
      return;
    }
    const add = event.target.closest("[data-add-row]");
    if (add) {
      const rows = add.parentElement.querySelector("[data-rows]");
      const row = rows.lastElementChild.cloneNode(true);
      const number = rows.children.length + 1;
      for (const input of row.querySelectorAll("input")) {
        input.value = "";
        input.setAttribute("aria-label", input.getAttribute("aria-label").replace(/\d+$/, String(number)));
      }
      rows.append(row);
      row.querySelector("input").focus();
      return;
    }
    const menu = document.querySelector("details.menu[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
  });

  document.addEventListener("keydown", (event) => {
    const menu = document.querySelector("details.menu[open]");
    if (event.key === "Escape" && menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  // A form is sent once, however often its button is pressed, until it was
  // stopped: with Esc, or in another way that no event tells of. An answer takes
  // no longer than patience.
  const patience = 30000;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (Date.now() - form.dataset.sent < patience) { event.preventDefault(); return; }
    form.dataset.sent = Date.now();
  });
  const sendable = () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  };
  window.addEventListener("pageshow", sendable);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") sendable(); });

  // Parts that refresh themselves rest while nobody looks, and while somebody
  // is at something inside them: with the keyboard, with a text that they mark, or
  // by reading a list further down than its top, where new rows come in.
  function atSomething(part) {
    const marked = document.getSelection();
    return part.contains(document.activeElement) ||
      marked.type === "Range" && marked.containsNode(part, true) ||
      "newestFirst" in part.dataset && part.getBoundingClientRect().top < 0;
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden || atSomething(event.target)) event.preventDefault();
  });
  document.addEventListener("htmx:afterSettle", (event) => wake(event.target.parentElement || document));

  wake(document);
  setInterval(() => { if (!document.hidden) showTimes(document); }, 20000);
})();
