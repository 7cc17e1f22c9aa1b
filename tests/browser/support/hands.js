// The hands of a person: how things on a page are filled in, ticked, chosen and pressed.
//
// A journey says what a person does; the hands say how. `mouse` points and clicks. `keyboard` has keys alone: it finds
// everything by Tab, Shift+Tab and arrows, and sees at each stop on the way what whoever cannot point depends on: that
// the focus shows, that it moves on, and that a page which answers begins at its beginning.

import { strict as assert } from "node:assert";

/** Hands that point. */
export const mouse = (page) => ({
  write: (field, text) => field.fill(text),
  tick: (box) => box.check(),
  choose: (list, option) => list.selectOption({ label: option }),
  press: (control) => control.click(),
  at: (name) => heading(page, name),
});

/** Hands that have keys only. */
export const keyboard = (page) => {
  const key = (name) => page.keyboard.press(name);

  /** Goes from stop to stop until the focus is on `target`, forwards or backwards, as its place on the page asks. */
  async function reach(target) {
    const element = await target.elementHandle();
    const most = 2 * (await page.evaluate(stopsOf)).length + 8;
    for (let turn = 0; turn < most; turn += 1) {
      const way = await element.evaluate(wayTo);
      if (way === "") return;
      await key(way);
      await assertFocusShows(page);
    }
    throw new Error(`no key leads to ${target}`);
  }

  return {
    async write(field, text) {
      await reach(field);
      await key("ControlOrMeta+a");
      await page.keyboard.type((await field.getAttribute("type")) === "date" ? asTyped(text) : text);
    },
    async tick(box) {
      await reach(box);
      if (!(await box.isChecked())) await key("Space");
      assert.ok(await box.isChecked(), `${box} is ticked`);
    },
    async choose(list, option) {
      await reach(list);
      const labels = await list.evaluate(({ options }) => [...options].map(({ label }) => label));
      await key("Home");
      for (let turn = 0; turn < labels.indexOf(option); turn += 1) await key("ArrowDown");
      assert.equal(await list.evaluate(({ selectedOptions }) => selectedOptions[0].label), option);
    },
    async press(control) {
      await reach(control);
      await key("Enter");
    },
    async at(name) {
      await heading(page, name);
      await page.waitForLoadState();
      assert.equal(await page.evaluate(strayFocus), "", "a new page begins at its beginning, or in its first field");
    },
  };
};

/** Waits until the tab's main heading is `name`. */
export async function heading(page, name) {
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

/**
 * Goes through the whole page by Tab, from its beginning until the focus leaves it.
 *
 * Fails if a control is passed over, if the focus is caught, or if it does not follow the order of reading.
 */
export async function walk(page) {
  const stops = await page.evaluate(stopsOf);
  const walked = [];
  for (let turn = 0; turn <= 4 * stops.length; turn += 1) {
    await page.keyboard.press("Tab");
    const here = (await page.evaluate(stopsOf)).find(({ isHere }) => isHere);
    if (here === undefined || (here.name === walked[0] && walked.length > 1)) break;
    await assertFocusShows(page);
    // A field for a day has stops of its own inside.
    if (here.name !== walked.at(-1)) walked.push(here.name);
  }
  assert.deepEqual(walked, stops.map(({ name }) => name), "every control is a stop, once, in the order of the page");
  for (const [index, { region, name, top, bottom, left }] of stops.entries()) {
    const before = stops[index - 1];
    if (before?.region !== region) continue;
    assert.ok(bottom > before.top, `${name} comes after ${before.name} and stands above it`);
    const inOneLine = top < before.bottom && bottom > before.top;
    assert.ok(!inOneLine || left >= before.left, `${name} comes after ${before.name} and stands left of it`);
  }
}

/** Whoever looks at the page must see where the focus is. */
async function assertFocusShows(page) {
  const { name, faults } = await page.evaluate(lookAtFocus);
  assert.deepEqual(faults, [], `the focus on ${name} at ${page.url()}`);
}

/** What a person types into a field for a day, in the browser's language: month, day, year. */
function asTyped(day) {
  const [year, month, date] = day.split("-");
  return month + date + year;
}

// What follows runs in the page.

/** The key that brings the focus nearer to `wanted`; none if it is there. */
function wayTo(wanted) {
  const active = document.activeElement;
  if (active === wanted) return "";
  if (wanted.type === "radio" && active.type === "radio" && active.name === wanted.name) return "ArrowDown";
  const isAhead = active.contains(wanted) || active.compareDocumentPosition(wanted) & Node.DOCUMENT_POSITION_FOLLOWING;
  return isAhead ? "Tab" : "Shift+Tab";
}

/** Every control that Tab must stop at, in the order of the page; of radio buttons with one name the chosen one. */
function stopsOf() {
  const isStop = (control) => {
    if (control.disabled || control.type === "hidden" || !control.checkVisibility({ visibilityProperty: true })) return false;
    if (control.type !== "radio") return true;
    const group = [...control.form.elements].filter(({ type, name }) => type === "radio" && name === control.name);
    return control === (group.find(({ checked }) => checked) ?? group[0]);
  };
  const controls = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
  return [...controls].filter(isStop).map((control, index) => {
    const { top, bottom, left } = control.getBoundingClientRect();
    const called = control.name || control.innerText.trim().slice(0, 60);
    return {
      name: `${index + 1}. ${control.localName} “${called}”`,
      region: control.closest("main, nav, header")?.localName ?? "",
      top: top + scrollY,
      bottom: bottom + scrollY,
      left,
      isHere: control === document.activeElement,
    };
  });
}

/** The control that has the focus, and what keeps a person from seeing that it has. */
function lookAtFocus() {
  const active = document.activeElement;
  if (active === document.body) return { name: "nothing", faults: [] };
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = channels(colour).map((value) => {
      const part = value / 255;
      return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  let ground = active.parentElement;
  while (ground.parentElement && channels(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
  const style = getComputedStyle(active);
  const tones = [style.outlineColor, getComputedStyle(ground).backgroundColor].map(luminance);
  const contrast = (Math.max(...tones) + 0.05) / (Math.min(...tones) + 0.05);
  const { top, bottom, left, right } = active.getBoundingClientRect();
  const faults = [];
  if (style.outlineStyle === "none" || Number.parseFloat(style.outlineWidth) < 2) faults.push("has no ring");
  if (contrast < 3) faults.push(`has a ring that is too faint: ${contrast.toFixed(2)}`);
  if (bottom <= 0 || top >= innerHeight || right <= 0 || left >= innerWidth) faults.push("is out of sight");
  return { name: active.outerHTML.slice(0, 120), faults };
}

/** Where the focus is on a page that has just come, if that is neither its beginning nor the field that it offers first. */
function strayFocus() {
  const active = document.activeElement;
  return active === document.body || active.autofocus ? "" : active.outerHTML.slice(0, 120);
}
