// Sorts and filters the tables, and remembers the theme. Without it all tables are there, in order.
"use strict";
(() => {
  // --- theme -----------------------------------------------------------------------------------
  const themes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const showTheme = () => { button.textContent = `Theme: ${root.dataset.theme ?? "auto"}`; };
  button.hidden = false;
  showTheme();
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try { localStorage.setItem("theme", next); } catch { /* then it lasts for this page */ }
    showTheme();
  });

  // --- sorting ---------------------------------------------------------------------------------
  const key = (row, place) => {
    const cell = row.cells[place];
    if (cell.classList.contains("number")) return cell.dataset.key === undefined ? NaN : Number(cell.dataset.key);
    return cell.textContent.trim();
  };
  const compare = (a, b, sign) => {
    if (typeof a === "string") return sign * a.localeCompare(b, "en", { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // unknown ones last
    return sign * (a - b);
  };
  const sort = (head, direction) => {
    const body = head.closest("table").tBodies[0]; // the others hold floors, ceiling and the like
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const rows = Array.from(body.rows, (row) => [key(row, head.cellIndex), row]);
    rows.sort((one, other) => compare(one[0], other[0], sign));
    body.append(...rows.map(([, row]) => row));
  };
  for (const one of document.querySelectorAll("thead button")) {
    one.addEventListener("click", () => {
      const head = one.closest("th");
      const now = head.getAttribute("aria-sort");
      const first = head.dataset.first ?? "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      sort(head, now === first ? other : first);
    });
  }

  // --- filtering -------------------------------------------------------------------------------
  const within = (value, from, to) => {
    if (from === "" && to === "") return true;
    if (value === undefined) return false; // what nobody tells is in no range
    return (from === "" || Number(value) >= Number(from)) && (to === "" || Number(value) <= Number(to));
  };
  const fits = (row, wanted) =>
    row.dataset.text.includes((wanted.get("text") ?? "").trim().toLowerCase()) &&
    ["strategy", "weights", "status"].every((name) => !wanted.get(name) || row.dataset[name] === wanted.get(name)) &&
    ["size", "draws"].every((name) =>
      within(row.dataset[name], wanted.get(`${name}-from`) ?? "", wanted.get(`${name}-to`) ?? ""));
  const apply = (form) => {
    const wanted = new FormData(form);
    const tables = document.querySelectorAll(`table[data-table="${CSS.escape(form.dataset.filters)}"]`);
    tables.forEach((table, number) => {
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        row.hidden = !fits(row, wanted);
        shown += !row.hidden;
      }
      if (number === 0) form.querySelector("output").value = `${shown} of ${table.tBodies[0].rows.length} entries`;
    });
  };
  // The choice is kept in the address, so that a view can be sent to others.
  const remember = (form) => {
    const chosen = [...new FormData(form)].filter(([, value]) => value !== "");
    const text = new URLSearchParams(chosen).toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname.split("/").pop() || "./");
  };
  const recall = (form) => {
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
      const field = form.elements.namedItem(name);
      if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = value;
    }
  };
  for (const form of document.querySelectorAll("form.filters")) {
    form.hidden = false;
    recall(form);
    apply(form);
    form.addEventListener("input", () => { apply(form); remember(form); });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { apply(form); remember(form); }));
  }
})();
