// Filters, sorts and counts the rows of a report; without it the page shows every row.
(() => {
  "use strict";
  const list = document.getElementById("rows");
  const form = document.querySelector(".toolbar");
  if (!list || !form) return;
  const rows = [...list.children];
  const search = form.querySelector("input[type=search]");
  const filters = [...form.querySelectorAll("select[data-filter]")];
  const count = document.querySelector(".count");
  const none = document.querySelector(".none");
  const sorts = document.querySelector(".sorts");
  const folded = (text) => text.normalize("NFKC").toLowerCase();
  const texts = new Map();

  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, folded(row.textContent));
    return texts.get(row);
  };

  const matches = (row, words) =>
    filters.every((filter) => {
      if (!filter.value) return true;
      return (row.dataset[filter.dataset.filter] ?? "").split("\n").includes(filter.value.slice(1));
    }) && words.every((word) => textOf(row).includes(word));

  const filter = () => {
    const words = folded(search.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !matches(row, words);
      if (!row.hidden) shown += 1;
    }
    count.textContent = count.dataset.count.replace("{shown}", shown).replace("{all}", rows.length);
    none.hidden = shown > 0;
    for (const select of filters) select.classList.toggle("set", Boolean(select.value));
  };

  const keyOf = (row, name) => {
    if (name === "number" || name === "seconds") return Number(row.dataset[name] ?? -1);
    if (name === "question") return row.querySelector(".s-question").textContent;
    if (name === "change") return row.dataset.change === "better" ? 1 : 0;
    return row.dataset[name] ?? "";
  };

  const sort = (name, backwards) => {
    const keyed = rows.map((row, place) => [keyOf(row, name), place, row]);
    keyed.sort(([a, i], [b, j]) => {
      const order = typeof a === "number" ? a - b : a.localeCompare(b);
      return (backwards ? -order : order) || i - j;
    });
    list.append(...keyed.map(([, , row]) => row));
  };

  const choose = (choice) => {
    const [name, ...rest] = choice.split("=");
    const wanted = filters.find((select) => select.dataset.filter === name);
    const value = `=${rest.join("=")}`;
    if (!wanted || ![...wanted.options].some((option) => option.value === value)) return;
    form.reset();
    wanted.value = value;
    filter();
    form.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    wanted.focus({ preventScroll: true });
  };

  form.hidden = false;
  sorts.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter)); // the event comes before the fields are empty
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("button") : null;
    if (!button) return;
    if (button.dataset.choose) choose(button.dataset.choose);
    if (button.dataset.open !== undefined) {
      for (const row of rows) if (!row.hidden) row.open = Boolean(button.dataset.open);
    }
    if (button.dataset.sort) {
      const again = button.getAttribute("aria-pressed") === "true";
      const backwards = again && !button.classList.contains("backwards");
      for (const other of sorts.children) {
        other.setAttribute("aria-pressed", String(other === button));
        other.classList.toggle("backwards", other === button && backwards);
      }
      sort(button.dataset.sort, backwards);
    }
  });
  filter();
})();
