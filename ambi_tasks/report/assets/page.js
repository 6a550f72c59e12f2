// Sorts a table by a column; floors and ceilings stay below.
"use strict";
for (const button of document.querySelectorAll(".scroll > table > thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const place = head.cellIndex;
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[place];
      const number = parseFloat(cell.dataset.key);
      return Number.isNaN(number) ? cell.textContent.trim() : number;
    };
    const compare = (one, other) => {
      const [a, b] = [key(one), key(other)];
      if (typeof a === "number" && typeof b === "number") return a - b;
      return String(a).localeCompare(String(b), undefined, { numeric: true });
    };
    const rows = [...body.rows].filter((row) => !row.classList.contains("reference"));
    const references = [...body.rows].filter((row) => row.classList.contains("reference"));
    rows.sort((one, other) => (down ? -1 : 1) * compare(one, other));
    body.append(...rows, ...references);
  });
}
