// The report: puts the page's parts together.
const report = JSON.parse(document.getElementById('data').textContent);
const measureOf = Object.fromEntries(report.measures.map(measure => [measure.key, measure]));
const models = report.systems.map((_, k) => k).filter(k => report.systems[k].kind === 'model');
const compared = models.filter(k => report.systems[k].name !== report.baseline);

function field(label, control) {
  return el('label', { class: 'field' }, label, control);
}

function choose(options, value, onchange) {
  const control = el('select', { onchange: () => onchange(control.value) }, ...options.map(([key, label]) => el('option', { value: key }, label)));
  if (value != null) control.value = value;
  return control;
}

function measureChoice(measures, value, onchange) {
  const control = el('select', { onchange: () => onchange(control.value) });
  for (const group of new Set(measures.map(measure => measure.group))) {
    control.append(el('optgroup', { label: group }, ...measures.filter(measure => measure.group === group).map(measure => el('option', { value: measure.key }, withArrow(measure)))));
  }
  control.value = value;
  return control;
}

document.querySelector('header.top nav').append(themeSwitch());
document.getElementById('about').textContent = `${report.corpus} · ${report.facts.Songs} · ${plural(models.length, 'model')}`;

// Warnings first: they are to be read before the numbers.
if (report.warnings.length) {
  const shown = report.warnings.slice(0, 4), more = report.warnings.slice(4);
  document.getElementById('warnings').append(...shown.map(warning => el('p', { class: 'warning' }, warning)),
    ...(more.length ? [el('details', { class: 'more-warnings' }, el('summary', {}, `${more.length} more`), ...more.map(warning => el('p', { class: 'warning' }, warning)))] : []));
}

{
  const [tabs, table] = resultsTable();
  document.getElementById('results').append(...[verdicts(), el('div', { class: 'row' }, tabs), table,
    el('p', { class: 'key' }, `Below a value its ${Math.round(100 * report.level)} % interval`,
      ...(compared.length ? [', and the difference to ', el('b', {}, report.baseline), ': ', el('span', { class: 'better' }, '✓ better'), ', ', el('span', { class: 'worse' }, '✗ worse'),
        ', where the interval of the difference excludes 0; ≈ where it does not. The best model is bold.'] : ['.']))].filter(Boolean));
}

// Charts.
{
  const drawable = report.measures.filter(measure => report.systems.some(system => system.cells[measure.key]?.value[0] != null));
  const state = { key: drawable[0].key, otherKey: (drawable.find(measure => measure.pooled) ?? drawable[1] ?? drawable[0]).key, measure: () => measureOf[state.key], other: () => measureOf[state.otherKey] };
  const places = ['bars', 'systems', 'by-song', 'minutes'].map(name => el('div', { class: 'chart', id: `chart-${name}` }));
  const redraw = [barChart, systemScatter, songScatter, minuteChart].map((chart, k) => chart(places[k], state));
  const all = () => redraw.forEach(draw => draw());
  const figure = (place, caption) => el('figure', {}, el('figcaption', {}, caption), place);
  document.getElementById('charts').append(
    el('div', { class: 'row' }, field('Measure', measureChoice(drawable, state.key, key => { state.key = key; all(); })),
      field('Against', measureChoice(drawable, state.otherKey, key => { state.otherKey = key; all(); }))),
    el('div', { class: 'charts' }, figure(places[0], 'Each system, with its interval'), figure(places[1], 'Two measures, a point a system'),
      figure(places[2], `Each song against ${report.baseline}; a point opens its song`),
      Object.values(report.minutes).some(lines => lines.some(line => line.some(each => each.minute > 0))) && figure(places[3], 'Along the pieces, minute by minute')));
}

// Songs.
const songMeasures = report.measures.filter(measure => report.songs.some(song => song.values.some(of => of[measure.key] != null)));
const shownSystem = compared[0] ?? models[0];
const songState = {
  key: songMeasures[0]?.key, order: 'worst', k: shownSystem, words: '',
  measure: () => measureOf[songState.key], system: () => songState.k, filter: () => songState.words,
  sort(order, measure) {
    const value = n => report.songs[n].values[songState.k][measure.key];
    const base = report.systems.findIndex(system => system.name === report.baseline);
    const gained = n => badness(measure, value(n)) - badness(measure, report.songs[n].values[base][measure.key]);
    const by = {
      worst: (a, b) => badness(measure, value(b)) - badness(measure, value(a)),
      best: (a, b) => badness(measure, value(a)) - badness(measure, value(b)),
      lost: (a, b) => gained(b) - gained(a),
      corpus: (a, b) => a - b,
      length: (a, b) => report.songs[b].seconds - report.songs[a].seconds,
    }[songState.order];
    order.sort((a, b) => ((value(a) == null) - (value(b) == null)) || by(a, b) || a - b);
  },
};
const songs = songList(songState);
{
  const change = (name, value) => { songState[name] = value; songs.draw(); };
  const search = el('input', { type: 'search', placeholder: 'name', oninput: () => change('words', search.value) });
  document.getElementById('songs').append(
    el('div', { class: 'row' }, field('Measure', measureChoice(songMeasures, songState.key, key => change('key', key))),
      field('Order', choose([['worst', 'worst first'], ['best', 'best first'], ...(compared.length ? [['lost', `most behind ${report.baseline}`]] : []), ['length', 'longest first'], ['corpus', 'as in the corpus']], 'worst', order => change('order', order))),
      field('Of', choose(report.systems.map((system, k) => [k, system.name]).filter(([k]) => report.systems[k].kind !== 'target'), String(songState.k), k => change('k', Number(k)))),
      field('Find', search)),
    el('p', { class: 'legend' }, ...report.systems.flatMap((system, k) => (system.kind === 'target' ? [] : [systemName(k)]))),
    ...songs.nodes,
    el('p', { class: 'key' }, el('kbd', {}, 'space'), ' plays and pauses the open song, ', el('kbd', {}, '1'), '–', el('kbd', {}, '9'), ' switch the system at the same place, ', el('kbd', {}, '←'), ' ', el('kbd', {}, '→'),
      ' move by two seconds, ', el('kbd', {}, 'j'), ' ', el('kbd', {}, 'k'), ' open the next and the last song.'));
  songs.draw();
}

// Method.
{
  const facts = entries => el('dl', {}, ...Object.entries(entries).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
  const leftOut = Object.entries(report.leftOut);
  document.getElementById('method').append(facts(report.facts),
    el('p', {}, 'Intervals are percentiles of a bootstrap over songs, with the same draws for every system, so that differences are paired; they are moved to lie about the value, as a resampled set has fewer different windows and so a larger Fréchet distance. Fréchet and kernel distances are computed anew of each draw. “Inverted” is the recording through spectrogram and inverter: no model can be expected to pass it.'),
    ...models.map(k => el('details', {}, el('summary', {}, systemName(k)), facts(report.systems[k].facts))),
    el('details', {}, el('summary', {}, 'What the measures mean'), el('dl', { class: 'meanings' }, ...report.measures.map(measure => el('div', {}, el('dt', {}, labelled(measure), ' ', arrow(measure)), el('dd', {}, measure.explains))))),
    ...(leftOut.length ? [el('details', {}, el('summary', {}, `${plural(leftOut.length, 'song')} left out`), facts(report.leftOut))] : []),
    el('p', { class: 'key' }, 'Beside this page: ', ...['metrics.json', 'summary.csv', 'per_song.csv', 'table.tex'].flatMap((name, k) => [k ? ', ' : '', el('a', { href: name }, name)]), '.'));
}

// Keys, wherever the focus is not in a control that needs them.
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea, summary, [contenteditable]')) return;
  if (event.key === 'j' || event.key === 'k') {
    const order = [...document.querySelectorAll('.song')].map(node => Number(node.id.slice(5)));
    const next = order.indexOf(currentSong) + (event.key === 'j' ? 1 : -1);
    if (order[next] != null) openSong(order[next]);
    return;
  }
  const player = open.get(currentSong);
  if (!player) return;
  // A button that is not on yet takes the space bar itself.
  if (event.key === ' ' && !event.target.closest('a, button:not([aria-pressed="true"], [aria-expanded="true"])')) player.toggle();
  else if (/^[1-9]$/.test(event.key)) player.select(Number(event.key) - 1);
  else if (event.key === 'ArrowLeft') player.seek(player.time - 2);
  else if (event.key === 'ArrowRight') player.seek(player.time + 2);
  else return;
  event.preventDefault();
});
