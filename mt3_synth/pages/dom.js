// Elements, numbers and times: what every page's script needs.
'use strict';

// An element with properties, attributes and children; text is text, never markup.
function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  set(node, properties);
  node.append(...children.flat().filter(child => child != null && child !== false));
  return node;
}

// The same in SVG.
function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
  node.append(...children.flat().filter(child => child != null && child !== false));
  return node;
}

function set(node, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value == null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [key, each] of Object.entries(value)) node.style.setProperty(key, each);
    else if (name in node && typeof value !== 'string') node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
}

// Three digits, a true minus sign, no exponent where people would not write one.
function number(value, digits = 3) {
  if (value == null || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-4 ? value.toExponential(1)
    : size >= 10 ** (digits - 1) ? String(Math.round(value)) : value.toPrecision(digits);
  return text.replace('-', '−');
}

function signed(value) {
  return (value > 0 ? '+' : '') + number(value);
}

function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function plural(count, word) {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

// What is remembered between visits of this page; a browser may not let it.
const memory = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* the page works without */ } },
};
