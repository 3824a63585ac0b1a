// The songs, worst first: their values, and what there is to see and hear of them.
const open = new Map();  // song number -> its player, once it was opened
let currentSong = null;
const largest = {};

// The largest value that any song has of a measure, for the bars beside the songs.
function highest(key) {
  return largest[key] ??= report.songs.reduce((most, song) => Math.max(most, ...song.values.map(of => Math.abs(of[key] ?? 0))), 1e-12);
}

function songList(state) {
  const list = el('div', { class: 'songs' });
  const cards = report.songs.map((song, n) => songCard(song, n));
  const empty = el('p', { class: 'soft', hidden: true }, 'No song has such a name.');
  return {
    nodes: [list, empty],
    draw() {
      const measure = state.measure();
      const words = state.filter().toLowerCase();
      const order = report.songs.map((_, n) => n).filter(n => report.songs[n].name.toLowerCase().includes(words));
      state.sort(order, measure);
      for (const n of order) cards[n].show(measure, state.system());
      list.replaceChildren(...order.map(n => cards[n].node));
      empty.hidden = order.length > 0;
    },
    cards,
  };
}

function songCard(song, n) {
  const values = el('span', { class: 'song-values' });
  const body = el('div', { class: 'song-body', id: `song-body-${n}`, hidden: true });
  const button = el('button', { type: 'button', class: 'song-head', 'aria-expanded': 'false', 'aria-controls': body.id, onclick: () => flip() },
    el('span', { class: 'song-name' }, song.name, el('small', {}, ` ${clock(song.seconds)}, ${plural(song.notes, 'note')}${song.media ? '' : ', values only'}`)), values);
  const node = el('article', { class: 'song', id: `song-${n}` }, el('h3', {}, button), body);

  function flip(wanted = body.hidden) {
    body.hidden = !wanted;
    button.setAttribute('aria-expanded', String(wanted));
    if (wanted && !body.children.length) body.append(...songBody(song, n));
    if (wanted) currentSong = n; else open.get(n)?.pause();
  }

  function show(measure, chosen) {
    const most = highest(measure.key);
    values.replaceChildren(...report.systems.flatMap((system, k) => {
      const value = song.values[k][measure.key];
      if (system.kind === 'target' || value == null) return [];
      return [el('span', { class: k === chosen ? 'mini chosen' : 'mini', title: `${system.name}: ${number(value)}`, style: { '--c': colour(k), '--share': `${100 * Math.abs(value) / most}%` } }, number(value))];
    }));
  }

  return { node, show, flip, button };
}

function openSong(n) {
  const card = songs.cards[n];
  if (!card.node.isConnected) return;
  card.flip(true);
  card.node.scrollIntoView({ block: 'start' });
  card.button.focus({ preventScroll: true });
}

function songBody(song, n) {
  const parts = song.warnings.map(warning => el('p', { class: 'warning' }, warning));
  if (song.media) parts.push(...songMedia(song, n));
  else parts.push(el('p', { class: 'soft' }, 'Pictures and sound of this song are not part of the report; mt3-synth report --songs takes more.'));
  const measures = report.measures.filter(measure => song.values.some(of => of[measure.key] != null));
  parts.push(el('details', {}, el('summary', {}, 'All values of this song'), el('div', { class: 'wide' }, el('table', {},
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Measure'), ...report.systems.map((_, k) => el('th', { scope: 'col', class: 'number' }, systemName(k))))),
    el('tbody', {}, ...measures.map(measure => el('tr', {}, el('th', { scope: 'row', title: measure.explains }, labelled(measure), ' ', arrow(measure)),
      ...song.values.map(of => el('td', { class: 'number' }, number(of[measure.key])))))))))); 
  return parts;
}

// Piano roll and spectrograms on one time axis, with one player that switches between the systems.
function songMedia(song, n) {
  const media = song.media;
  const audible = report.systems.map((_, k) => k).filter(k => media.systems[k].audio);
  const player = new SwitchingPlayer(audible.map(k => media.systems[k].audio), media.seconds, { changed: update, moved });
  open.set(n, player);
  player.audible = audible;
  const button = el('button', { type: 'button', class: 'main play', 'aria-label': 'Play or pause', onclick: () => { currentSong = n; player.toggle(); } }, '▶');
  const time = el('span', { class: 'time' });
  const slider = el('input', { type: 'range', min: '0', max: String(media.seconds), step: '0.01', value: '0', 'aria-label': 'Position in seconds', oninput: () => player.seek(Number(slider.value)) });
  const choice = el('div', { class: 'choice', role: 'group', 'aria-label': 'What sounds' }, ...audible.map((k, place) => el('button', {
    type: 'button', 'data-system': report.systems[k].name, onclick: () => { currentSong = n; player.select(place); },
  }, systemName(k), place < 9 && el('kbd', {}, String(place + 1)))));
  const heads = [];
  const strips = el('div', { class: 'strips' }, el('div', { class: 'strips-inner' },
    media.roll && strip(el('span', {}, 'Notes'), media.roll, 'Piano roll', 'roll'),
    ...report.systems.map((system, k) => media.systems[k].mel && strip(systemName(k), media.systems[k].mel, `Spectrogram of ${system.name}`, 'mel', k)), axis(media.seconds)));

  function strip(label, source, says, kind, k) {
    const head = el('div', { class: 'playhead' });
    heads.push(head);
    const place = el('div', { class: `strip ${kind}`, onclick: event => {
      currentSong = n;
      const box = place.getBoundingClientRect();
      player.seek((event.clientX - box.left) / box.width * media.seconds);
      if (k != null && audible.includes(k)) player.select(audible.indexOf(k));
    } }, el('img', { src: source, alt: says, loading: 'lazy', draggable: 'false' }), kind === 'mel' && frequencies(), head);
    return el('div', { class: 'strip-row', 'data-k': k == null ? null : String(k) }, el('div', { class: 'strip-label' }, label), place);
  }

  function update() {
    button.textContent = player.playing ? '❚❚' : '▶';
    [...choice.children].forEach((each, place) => {
      each.setAttribute('aria-pressed', String(place === player.current));
      each.classList.toggle('broken', player.failed.has(place));
    });
    for (const row of strips.querySelectorAll('[data-k]')) row.classList.toggle('sounding', Number(row.dataset.k) === audible[player.current]);
  }

  function moved(seconds) {
    time.textContent = `${clock(seconds)} / ${clock(media.seconds)}`;
    slider.value = seconds;
    for (const head of heads) head.style.left = `${100 * seconds / media.seconds}%`;
  }

  update();
  moved(0);
  const shortened = media.seconds < song.seconds - 0.5;
  return [
    audible.length > 0 && el('div', { class: 'player-row' }, button, slider, time),
    audible.length > 0 && choice, strips,
    el('div', { class: 'under-strips' }, el('p', { class: 'legend' }, ...Object.entries(media.instruments).map(([name, shade]) => el('span', { class: 'system' }, el('span', { class: 'dot', style: { '--c': shade } }), name))), colourScale()),
    shortened && el('p', { class: 'soft' }, `The first ${clock(media.seconds)} of ${clock(song.seconds)}; values are of all of it.`),
  ].filter(Boolean);
}

function frequencies() {
  return el('div', { class: 'frequencies', 'aria-hidden': 'true' }, ...report.scale.ticks.map(tick => el('span', { style: { bottom: `${100 * tick.at}%` } }, tick.label)));
}

function axis(seconds) {
  return el('div', { class: 'strip-row time-row' }, el('div', { class: 'strip-label' }), el('div', { class: 'time-axis', 'aria-hidden': 'true' },
    ...ticks(0, seconds, 8).map(([at, said]) => el('span', { style: { left: `${100 * at / seconds}%`, translate: `${-100 * at / seconds}%` } }, seconds > 90 ? clock(at) : `${said} s`))));
}

function colourScale() {
  return el('div', { class: 'colour-scale' }, el('span', {}, number(report.scale.low)), el('span', { class: 'ramp', style: { background: `linear-gradient(to right, ${report.scale.colours.join(', ')})` } }), el('span', {}, `${number(report.scale.high)} ln magnitude`));
}
