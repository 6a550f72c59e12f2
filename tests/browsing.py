"""What is looked for in a page that a browser shows: scripts that name what is wrong to see."""

# Elements whose words are wider than they are, and those that reach beyond the window; what stands
# in a box that scrolls may.
OVERFLOWING = """() => [...document.querySelectorAll("body *")].filter((one) => {
  if (one.closest(".scroll, svg, .skip") || one.offsetParent === null) return false;
  const box = one.getBoundingClientRect();
  const wide = one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
    && getComputedStyle(one).display !== "inline";
  return wide || box.right > innerWidth + 1;
}).map((one) => one.tagName + "." + one.className + ": " + one.textContent.slice(0, 40))"""

# Words of pictures that are cut off at their edges.
CUT_OFF = """() => [...document.querySelectorAll("figure svg")].flatMap((picture) => {
  const frame = picture.getBoundingClientRect();
  return [...picture.querySelectorAll("text")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.left < frame.left - 2 || box.right > frame.right + 2
      || box.top < frame.top - 2 || box.bottom > frame.bottom + 2;
  }).map((one) => picture.getAttribute("aria-label").slice(0, 30) + ": " + one.textContent);
})"""

# The contrast of words with their ground, by WCAG 2; words in pictures are in the page's colour.
LOW_CONTRAST = """() => {
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const linear = [r, g, b].map((v) => v / 255).map(
      (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = (one) => {
    for (let up = one; up; up = up.parentElement) {
      const colour = parse(getComputedStyle(up).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  for (const one of document.querySelectorAll("body *")) {
    if (one.closest("svg") || !one.textContent.trim() || one.offsetParent === null) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) poor.add(one.tagName + "." + one.className + " " + contrast.toFixed(2));
  }
  return [...poor];
}"""
