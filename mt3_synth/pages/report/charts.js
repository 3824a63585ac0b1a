// Bars, scatter plots and lines in SVG, drawn anew when the page's width changes.
const MARGIN = { top: 12, right: 20, bottom: 44 };

// Round numbers from low to high, about `count` of them, with as many decimals as their step needs: [[number, text]].
function ticks(low, high, count = 5) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(each => each * power).find(each => each >= raw);
  const found = [];
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push([at * step, (at * step).toFixed(Math.min(decimals, 6)).replace('-', '−')]);
  return found;
}

// The range of some numbers with room about it; from 0 where 0 is near, and where `zero` says so.
function range(values, zero = false) {
  const known = values.filter(value => value != null && Number.isFinite(value));
  if (!known.length) return [0, 1];
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if ((zero || low < 0.4 * high) && low > 0) low = 0;
  if (zero && high < 0) high = 0;
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low === 0 ? 0 : low - room, high + room];
}

function scale([low, high], from, to) {
  return value => from + (value - low) / (high - low) * (to - from);
}

function text(x, y, content, attributes = {}) {
  return svg('text', { x, y, ...attributes }, content);
}

// Calls draw(width) now and when the width of `place` changes.
function responsive(place, draw) {
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.floor(place.clientWidth);
    if (now && now !== width) { width = now; draw(width); }
  }).observe(place);
  return () => { if (width) draw(width); };
}

function barChart(place, state) {
  return responsive(place, width => {
    const measure = state.measure();
    const shown = report.systems.map((system, k) => ({ k, system, cell: system.cells[measure.key] })).filter(each => each.cell?.value[0] != null);
    const longest = Math.max(...shown.map(each => each.system.name.length), 4);
    const above = width < 480 || longest > 26;  // names stand above their bars
    const left = above ? 12 : 24 + 7.2 * longest;
    const rowHeight = above ? 52 : Math.min(64, Math.max(40, 300 / shown.length));
    const height = shown.length * rowHeight + 46;
    const range_ = range(shown.flatMap(each => [...each.cell.value, 0]), true);
    const x = scale(range_, left, width - 62);
    const axis = height - 40;
    const drawing = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${labelled(measure)} of each system, with intervals` },
      ticks(...range_, width < 480 ? 3 : 5).flatMap(([at, said]) => [
        svg('line', { x1: x(at), x2: x(at), y1: 6, y2: axis, class: at === 0 ? 'axis' : 'grid' }),
        text(x(at), axis + 16, said, { class: 'tick', 'text-anchor': 'middle' })]),
      text((left + width - 62) / 2, height - 4, `${labelled(measure)}${measure.better && ` (${ARROWS[measure.better][1]})`}`, { class: 'label', 'text-anchor': 'middle' }),
      shown.map(({ k, system, cell }, row) => {
        const [value, low, high] = cell.value;
        const middle = 8 + row * rowHeight + rowHeight / 2 + (above ? 8 : 0);
        const [from, to] = [x(0), x(value)].sort((a, b) => a - b);
        const name = above ? text(left, middle - 16, system.name, { class: 'name' }) : text(left - 10, middle + 5, system.name, { class: 'name', 'text-anchor': 'end' });
        return svg('g', { style: `--c: ${colour(k)}` }, svg('title', {}, `${system.name}: ${number(value)}${low != null ? `, ${number(low)} to ${number(high)}` : ''}`),
          name, svg('rect', { x: from, y: middle - 10, width: Math.max(to - from, 1), height: 20, rx: 2, class: 'bar' }), low != null && low !== high && whisker(x(low), x(high), middle),
          text(Math.max(to, high == null ? 0 : x(high)) + 8, middle + 5, number(value), { class: 'value' }));
      }));
    place.replaceChildren(drawing);
  });
}

function whisker(from, to, y) {
  return svg('path', { d: `M${from} ${y}H${to}M${from} ${y - 5}V${y + 5}M${to} ${y - 5}V${y + 5}`, class: 'whisker' });
}

// The frame of a plot with two axes, the lower one of whole numbers where `whole`: {drawing, x, y}.
function frame(width, height, rangeX, rangeY, labelX, labelY, says, whole = false) {
  const [across, up] = [ticks(...rangeX, Math.max(2, Math.floor(width / 110))), ticks(...rangeY, 5)];
  const left = 32 + 7 * Math.max(...up.map(([, said]) => said.length));  // the label stands before the longest number
  const x = scale(rangeX, left, width - MARGIN.right), y = scale(rangeY, height - MARGIN.bottom, MARGIN.top);
  const drawing = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': says },
    across.filter(([at]) => !whole || Number.isInteger(at)).flatMap(([at, said]) => [
      svg('line', { x1: x(at), x2: x(at), y1: MARGIN.top, y2: height - MARGIN.bottom, class: 'grid' }),
      text(x(at), height - MARGIN.bottom + 17, said, { class: 'tick', 'text-anchor': 'middle' })]),
    up.flatMap(([at, said]) => [
      svg('line', { x1: left, x2: width - MARGIN.right, y1: y(at), y2: y(at), class: 'grid' }),
      text(left - 7, y(at) + 4, said, { class: 'tick', 'text-anchor': 'end' })]),
    text((left + width - MARGIN.right) / 2, height - 6, labelX, { class: 'label', 'text-anchor': 'middle' }),
    text(14, (height - MARGIN.bottom + MARGIN.top) / 2, labelY, { class: 'label', 'text-anchor': 'middle', transform: `rotate(-90 14 ${(height - MARGIN.bottom + MARGIN.top) / 2})` }));
  return { drawing, x, y };
}

function withArrow(measure) {
  return `${labelled(measure)} ${ARROWS[measure.better][0]}`;
}

// Where a name of some length may stand beside a point and touch nothing: {left, right, y}; nothing where there is no such place.
function freePlace(px, py, length, taken, width, height) {
  for (const dy of [0, -14, 14, -28, 28]) {
    for (const left of [px + 10, px - 10 - length]) {
      const [right, at] = [left + length, py + dy];
      const inside = left > MARGIN.top + 40 && right < width - 2 && at > MARGIN.top && at < height - MARGIN.bottom - 4;
      if (inside && !taken.some(other => Math.abs(other.y - at) < 13 && other.left < right && other.right > left)) return { left, right, y: at };
    }
  }
  return null;
}

// One measure against another, a point a system, with the intervals of both.
function systemScatter(place, state) {
  return responsive(place, width => {
    const [across, up] = [state.measure(), state.other()];
    const shown = report.systems.map((system, k) => ({ k, system, a: system.cells[across.key]?.value, b: system.cells[up.key]?.value })).filter(each => each.a?.[0] != null && each.b?.[0] != null);
    const height = Math.min(360, Math.max(260, width * 0.7));
    const { drawing, x, y } = frame(width, height, range(shown.flatMap(each => each.a)), range(shown.flatMap(each => each.b)), withArrow(across), withArrow(up), `${up.label} against ${across.label}, a point a system`);
    const taken = shown.map(({ a, b }) => ({ left: x(a[0]) - 6, right: x(a[0]) + 6, y: y(b[0]) }));
    let all = true;  // whether each point has its name beside it
    for (const { k, system, a, b } of shown) {
      const [px, py] = [x(a[0]), y(b[0])];
      const label = freePlace(px, py, 6.8 * system.name.length, taken, width, height);
      if (label) taken.push(label); else all = false;
      drawing.append(svg('g', { style: `--c: ${colour(k)}`, class: 'point' }, svg('title', {}, `${system.name}: ${number(a[0])}, ${number(b[0])}`),
        a[1] != null && svg('line', { x1: x(a[1]), x2: x(a[2]), y1: py, y2: py, class: 'cross' }),
        b[1] != null && svg('line', { x1: px, x2: px, y1: y(b[1]), y2: y(b[2]), class: 'cross' }),
        svg('circle', { cx: px, cy: py, r: 5.5 }), label && text(label.left, label.y + 4, system.name, { class: 'name' })));
    }
    const legend = !all && el('p', { class: 'legend' }, ...shown.map(({ k }) => systemName(k)));
    place.replaceChildren(...(shown.length ? [drawing, legend].filter(Boolean) : [el('p', { class: 'soft' }, 'No system has both.')]));
  });
}

// One measure of a system against the baseline's, a point a song: below the line is lower.
function songScatter(place, state) {
  return responsive(place, width => {
    const measure = state.measure();
    const base = report.systems.findIndex(system => system.name === report.baseline);
    const others = report.systems.map((_, k) => k).filter(k => k !== base && report.systems[k].kind === 'model');
    const compared = others.length ? others : report.systems.map((_, k) => k).filter(k => report.systems[k].kind === 'ceiling');
    const points = compared.flatMap(k => report.songs.map((song, n) => ({ k, n, a: song.values[base][measure.key], b: song.values[k][measure.key] }))).filter(each => each.a != null && each.b != null);
    const height = Math.min(360, Math.max(260, width * 0.7));
    const both = range(points.flatMap(each => [each.a, each.b]));
    const { drawing, x, y } = frame(width, height, both, both, `${report.baseline}: ${labelled(measure)}`, compared.length > 1 ? 'other systems' : report.systems[compared[0]]?.name ?? '', `${measure.label} of each song against the baseline's`);
    drawing.append(svg('line', { x1: x(both[0]), y1: y(both[0]), x2: x(both[1]), y2: y(both[1]), class: 'diagonal' }));
    for (const { k, n, a, b } of points) {
      drawing.append(svg('circle', { cx: x(a), cy: y(b), r: 5, class: 'song-point', style: `--c: ${colour(k)}`, 'data-song': n },
        svg('title', {}, `${report.songs[n].name}, ${report.systems[k].name}: ${number(b)}; ${report.baseline}: ${number(a)}`)));
    }
    drawing.addEventListener('click', event => { if (event.target.dataset.song) openSong(Number(event.target.dataset.song)); });
    place.replaceChildren(points.length ? drawing : el('p', { class: 'soft' }, `${measure.label} is of all songs together: no song has it.`));
  });
}

// How a measure goes along the pieces, minute by minute.
function minuteChart(place, state) {
  return responsive(place, width => {
    const measure = state.measure();
    const lines = report.minutes[measure.key] ?? [];
    const points = lines.flat().filter(each => each.mean != null);
    if (!points.some(each => each.minute > 0)) { place.replaceChildren(el('p', { class: 'soft' }, `No values of ${measure.label} for each minute.`)); return; }
    const height = 240;
    const { drawing, x, y } = frame(width, height, [0.7, Math.max(...points.map(each => each.minute)) + 1.3], range(points.map(each => each.mean)), 'minute of the piece', withArrow(measure), `${measure.label} of each minute`, true);
    lines.forEach((line, k) => {
      const known = line.filter(each => each.mean != null);
      if (!known.length) return;
      drawing.append(svg('g', { style: `--c: ${colour(k)}` }, svg('polyline', { points: known.map(each => `${x(each.minute + 1)},${y(each.mean)}`).join(' '), class: 'line' }),
        known.map(each => svg('circle', { cx: x(each.minute + 1), cy: y(each.mean), r: 4 }, svg('title', {}, `${report.systems[k].name}, minute ${each.minute + 1}: ${number(each.mean)} (${plural(each.songs, 'song')})`)))));
    });
    place.replaceChildren(drawing, el('p', { class: 'legend' }, ...lines.flatMap((line, k) => (line.length ? [systemName(k)] : []))));
  });
}
