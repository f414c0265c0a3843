// Turns an element into another one with as few changes as possible, so that what the user is doing in it survives: focus,
// selection, scroll, what is half typed, what is unfolded. Children with an id are known by it, the others by their place.

const said = new WeakMap(); // what the program last wanted a control to hold; until that changes, it holds what the user wants

/** morph makes old equal to next, whose nodes it may take. */
export function morph(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || (old.id || "") !== (next.id || "")) {
    old.replaceWith(next);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if (old.isEqualNode(next) && !control(old)) return;
  attributes(old, next);
  if (!old.hasAttribute("data-keep")) children(old, next);
  hold(old, next);
}

function attributes(old, next) {
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !held(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value && !held(old, name)) old.setAttribute(name, value);
  }
}

function children(old, next) {
  const wanted = new Set([...next.children].map((c) => c.id).filter(Boolean));
  const known = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
  let at = old.firstChild;
  for (const child of [...next.childNodes]) {
    while (at && at.id && !wanted.has(at.id)) at = drop(at);
    const same = child.id && known.get(child.id);
    if (same) {
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      morph(same, child);
    } else if (at && !at.id && !child.id && at.nodeName === child.nodeName) {
      const now = at;
      at = at.nextSibling;
      morph(now, child);
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) at = drop(at);
}

function drop(node) {
  const after = node.nextSibling;
  node.remove();
  return after;
}

const control = (e) => e.matches("input, select, textarea, details") || e.querySelector("input, select, textarea, details");

// Attributes that are written by hold alone.
function held(e, name) {
  switch (e.nodeName) {
    case "DETAILS": return name === "open";
    case "INPUT": return name === "checked" || (name === "value" && wants(e) !== undefined && e.type !== "checkbox" && e.type !== "radio");
  }
  return false;
}

/** wants is what an element's markup says that it holds. */
function wants(e) {
  switch (e.nodeName) {
    case "DETAILS": return e.hasAttribute("open");
    case "TEXTAREA": return e.textContent;
    case "SELECT": return e.querySelector("option[selected]")?.value ?? e.options[0]?.value;
    case "INPUT":
      if (e.type === "file") return undefined;
      return e.type === "checkbox" || e.type === "radio" ? e.hasAttribute("checked") : e.getAttribute("value") ?? "";
  }
  return undefined;
}

function hold(old, next) {
  const want = wants(next);
  if (want === undefined) return;
  const before = said.has(old) ? said.get(old) : first(old);
  said.set(old, want);
  if (want === before) {
    // A check that the program did not take goes back; so does the other button of a pair.
    if ((old.type === "checkbox" || old.type === "radio") && old.hasAttribute("data-act")) old.checked = want;
    return;
  }
  switch (old.nodeName) {
    case "DETAILS": old.open = want; break;
    case "INPUT":
      if (old.type === "checkbox" || old.type === "radio") old.checked = want;
      else if (old !== document.activeElement || old.value === before) old.value = want;
      break;
    default:
      if (old.value !== want && (old !== document.activeElement || old.value === before)) old.value = want;
  }
}

// What a control held when the page came, before anybody touched it.
function first(e) {
  switch (e.nodeName) {
    case "DETAILS": return e.open; // whoever unfolded it, it stays
    case "TEXTAREA": return e.defaultValue;
    case "SELECT": return [...e.options].find((o) => o.defaultSelected)?.value ?? e.options[0]?.value;
  }
  return e.type === "checkbox" || e.type === "radio" ? e.defaultChecked : e.defaultValue;
}
