// The table of results: systems in rows, measures in columns, sorted by any of them.
const ARROWS = { lower: ['↓', 'lower is better'], higher: ['↑', 'higher is better'], 'nearer 0': ['→0', 'nearer 0 is better'], '': ['', ''] };

function arrow(measure) {
  const [sign, says] = ARROWS[measure.better];
  return sign && el('span', { class: 'arrow', title: says, role: 'img', 'aria-label': says }, sign);
}

function labelled(measure) {
  return measure.unit ? `${measure.label} [${measure.unit}]` : measure.label;
}

// How bad a value is: worst first is by this, downwards.  Where neither way is better, by size.
function badness(measure, value) {
  if (value == null) return -Infinity;
  return measure.better === 'higher' ? -value : measure.better === 'nearer 0' ? Math.abs(value) : value;
}

function colour(k) {
  const kind = report.systems[k].kind;
  if (kind !== 'model') return `var(--${kind === 'target' ? 's1' : 's0'})`;
  const rank = report.systems.slice(0, k).filter(system => system.kind === 'model').length;
  return `var(--m${rank % 8})`;
}

function systemName(k, ...more) {
  const system = report.systems[k];
  return el('span', { class: 'system' }, el('span', { class: 'dot', style: { '--c': colour(k) } }), el('span', {}, system.name, ...more));
}

// What the table's first view says in a sentence for each model: in what it is better or worse than the baseline.
function verdicts() {
  const list = el('ul', { class: 'verdicts' });
  report.systems.forEach((system, k) => {
    if (system.kind !== 'model' || system.name === report.baseline) return;
    const named = { better: [], worse: [], open: [] };
    for (const measure of report.measures) {
      const cell = system.cells[measure.key];
      if (!cell?.difference || !measure.headline || !['lower', 'higher'].includes(measure.better) || measure.group === 'Speed and cost') continue;
      named[!cell.differs ? 'open' : cell.better ? 'better' : 'worse'].push(measure.label);
    }
    const part = (kind, says) => named[kind].length > 0 &&
      el('span', { class: kind, title: named[kind].join(', ') }, ` ${says} in ${named[kind].length}`, compared.length <= 3 && el('small', {}, ` (${named[kind].join(', ')})`));
    const said = [part('better', 'better'), part('worse', 'worse'), part('open', 'not told apart')].filter(Boolean);
    list.append(el('li', {}, systemName(k), ` against ${report.baseline}:`, ...said.flatMap((each, i) => (i ? [';', each] : [each]))));
  });
  return list.children.length ? list : null;
}

function resultsTable() {
  const groups = [...new Set(report.measures.map(measure => measure.group))];
  const views = [['Headline', measure => measure.headline], ...groups.map(group => [group, measure => measure.group === group]), ['All', () => true]];
  const state = { view: 'Headline', key: null, worst: true };
  const tabs = el('div', { class: 'choice', role: 'group', 'aria-label': 'Columns' });
  const place = el('div', { class: 'wide table', tabindex: '0', role: 'region', 'aria-label': 'Table of results' });

  function draw() {
    tabs.replaceChildren(...views.map(([name]) => el('button', {
      type: 'button', 'aria-pressed': String(name === state.view), onclick() { state.view = name; draw(); },
    }, name)));
    const columns = report.measures.filter(views.find(([name]) => name === state.view)[1]);
    const sorted = columns.find(measure => measure.key === state.key);
    const order = report.systems.map((_, k) => k);
    const value = k => report.systems[k].cells[sorted.key]?.value[0];
    if (sorted) {
      const known = order.filter(k => value(k) != null).sort((a, b) => badness(sorted, value(b)) - badness(sorted, value(a)));
      if (!state.worst) known.reverse();
      order.splice(0, order.length, ...known, ...order.filter(k => value(k) == null));
    }
    const scroll = place.scrollLeft;
    place.replaceChildren(el('table', { class: 'results' },
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'System'), ...columns.map(measure => head(measure, sorted === measure)))),
      el('tbody', {}, ...order.map(k => row(k, columns, sorted)))));
    place.scrollLeft = scroll;
  }

  function head(measure, sorted) {
    return el('th', { scope: 'col', class: 'number', 'aria-sort': sorted ? (state.worst === (measure.better !== 'higher') ? 'descending' : 'ascending') : 'none' },
      el('button', {
        type: 'button', class: 'head', title: `${measure.explains} Sort by it, worst first.`, 'data-key': measure.key,
        onclick() {
          state.worst = state.key === measure.key ? !state.worst : true;
          state.key = measure.key;
          draw();
          place.querySelector(`[data-key="${CSS.escape(measure.key)}"]`).focus();
        },
      }, el('span', {}, measure.label, measure.unit && el('small', {}, ` ${measure.unit}`)), arrow(measure), sorted && el('span', { class: 'sorted' }, state.worst ? 'worst first' : 'best first')));
  }

  function row(k, columns, sorted) {
    const system = report.systems[k];
    const note = system.name === report.baseline ? 'baseline' : { target: 'the recordings', ceiling: 'the ceiling', model: '' }[system.kind];
    return el('tr', { class: system.kind }, el('th', { scope: 'row' }, systemName(k, note && el('small', {}, note))),
      ...columns.map(measure => tableCell(system, measure, measure === sorted)));
  }

  draw();
  return [tabs, place];
}

function tableCell(system, measure, sorted) {
  const cell = system.cells[measure.key];
  const classes = ['number', sorted && 'sorted-column'].filter(Boolean).join(' ');
  if (!cell || cell.value[0] == null) return el('td', { class: classes }, system.kind === 'target' && measure.group !== 'Speed and cost' ? el('small', {}, 'reference') : '–');
  const [value, low, high] = cell.value;
  const about = [plural(cell.songs, 'song'), cell.windows && plural(cell.windows, 'window'), cell.seeds && `${cell.seeds} seeds, standard deviation ${number(cell.overSeeds, 2)}`];
  return el('td', { class: classes, title: about.filter(Boolean).join(', ') },
    el('div', { class: isBest(system, measure) ? 'value best' : 'value' }, number(value), cell.few && el('sup', { title: 'fewer windows than dimensions' }, '!')),
    low != null && low !== high && el('div', { class: 'interval' }, `[${number(low)}, ${number(high)}]`),
    measure.key.endsWith('_seconds') && el('div', { class: 'interval' }, `${number(1 / value)} × real time`),
    cell.seeds && el('div', { class: 'interval' }, `${cell.seeds} seeds ±${number(cell.overSeeds, 2)}`),
    system.kind === 'model' && cell.difference && difference(cell));
}

function difference(cell) {
  const [value, low, high] = cell.difference;
  const title = low == null ? 'no interval' : `difference ${signed(value)}, interval ${signed(low)} to ${signed(high)}`;
  const kind = !cell.differs ? 'open' : cell.better == null ? 'other' : cell.better ? 'better' : 'worse';
  const says = low == null ? '' : { open: '≈', other: '≠', better: '✓', worse: '✗' }[kind];
  return el('div', { class: `difference ${kind}`, title }, `${signed(value)} ${says}`);
}

function isBest(system, measure) {
  const models = report.systems.filter(each => each.kind === 'model' && each.cells[measure.key]?.value[0] != null);
  if (models.length < 2 || !measure.better || system.kind !== 'model') return false;
  const of = each => badness(measure, each.cells[measure.key].value[0]);
  return models.every(each => of(each) >= of(system)) && models.some(each => of(each) > of(system));
}
