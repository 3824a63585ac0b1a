// The test from welcome to the saved file.  Nothing leaves this page but the file that the listener saves.
const test = JSON.parse(document.getElementById('data').textContent);
const main = document.getElementById('main');
let session = null;
let trial = null;

document.getElementById('switches').append(themeSwitch());

// Numbers from 0 to 1 that are the same for the same words (xmur3 to seed, mulberry32 to draw).
function draws(words) {
  let seed = 1779033703 ^ words.length;
  for (const letter of words) {
    seed = Math.imul(seed ^ letter.codePointAt(0), 3432918353);
    seed = (seed << 13) | (seed >>> 19);
  }
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(items, draw) {
  const order = [...items];
  for (let k = order.length - 1; k > 0; k--) {
    const other = Math.floor(draw() * (k + 1));
    [order[k], order[other]] = [order[other], order[k]];
  }
  return order;
}

// A listener's order of trials and of sounds: theirs alone, and the same when they come back.
function orderOf(participant) {
  const draw = draws(`${test.test}/${participant}`);
  return shuffled(test.trials.map(each => ({ id: each.id, stimuli: shuffled(each.stimuli, draw) })), draw);
}

function remember() { memory.set(`listening/${test.test}/${session.participant}`, JSON.stringify(session)); }

function welcome() {
  const name = el('input', { type: 'text', id: 'participant', required: true, maxlength: '40', autocomplete: 'off', value: Math.random().toString(36).slice(2, 8) });
  const through = el('select', {}, ...['headphones', 'loudspeakers'].map(word => el('option', {}, word)));
  const form = el('form', { onsubmit: event => { event.preventDefault(); begin(name.value.trim(), through.value); } },
    el('div', { class: 'row' }, el('label', { class: 'field' }, 'Your name, or any word that is yours alone', name), el('label', { class: 'field' }, 'You listen through', through)),
    el('button', { class: 'main', type: 'submit' }, 'Begin'));
  main.replaceChildren(el('section', {}, el('h2', {}, 'Welcome'),
    el('p', {}, `You will hear ${plural(test.trials.length, 'short piece')}, each in ${test.trials[0].stimuli.length} versions, and say how close each version comes to a reference. It takes about ${Math.max(2, Math.round(test.trials.length * 1.5))} minutes.`),
    el('ul', {}, ...['Sit somewhere quiet. Set the volume with the first sound, and leave it.',
      'Listen as often as you like. Another version goes on where the last one was, so that small differences are heard.',
      'Rate each from 0 to 100. Among them is the reference itself: what you take for it gets 100. At least one is clearly worse.',
      'At the end save a file, and send it to whoever asked you. Nothing is sent by itself.'].map(line => el('li', {}, line))),
    form));
  name.select();
}

function begin(participant, through) {
  if (!participant) return;
  let before = null;
  try { before = JSON.parse(memory.get(`listening/${test.test}/${participant}`)); } catch { /* begin anew */ }
  session = before ?? { participant, through, started: new Date().toISOString(), at: 0, answers: {}, seconds: {}, order: orderOf(participant) };
  show();
}

function show() {
  trial?.player.pause();
  trial = null;
  remember();
  if (session.at >= session.order.length) { finish(); return; }
  const { id, stimuli } = session.order[session.at];
  const began = Date.now();
  const answers = session.answers[id] ??= {};
  const next = el('button', { type: 'button', class: 'main', id: 'next', onclick: () => leave(1) }, session.at + 1 < session.order.length ? 'Next' : 'Finish');
  const hint = el('span', { class: 'soft', role: 'status' });
  const leave = by => {
    session.seconds[id] = (session.seconds[id] ?? 0) + (Date.now() - began) / 1000;
    session.at += by;
    show();
  };
  const changed = () => {
    const left = stimuli.filter(each => !(answers[each]?.plays > 0 && answers[each].score != null)).length;
    next.disabled = left > 0;
    hint.textContent = left ? `${plural(left, 'sound')} to hear and rate` : '';
    remember();
  };
  trial = new Trial(test.trials.find(each => each.id === id), stimuli, answers, changed);
  main.replaceChildren(el('section', {}, el('div', { class: 'progress' }, el('h2', {}, `${session.at + 1} of ${session.order.length}`), el('progress', { max: session.order.length, value: session.at, 'aria-label': 'Progress' })),
    trial.node, el('div', { class: 'steps' }, el('button', { type: 'button', disabled: session.at === 0, onclick: () => leave(-1) }, 'Back'), hint, next)),
    el('p', { class: 'keys' }, el('kbd', {}, 'space'), ' plays and pauses · ', el('kbd', {}, '0'), ' the reference, ', el('kbd', {}, '1'), '–', el('kbd', {}, '9'), ' a sound · ', el('kbd', {}, '←'), ' ', el('kbd', {}, '→'), ' rate it, with ', el('kbd', {}, 'shift'), ' in steps of ten · ', el('kbd', {}, 'Enter'), ' next'));
  changed();
  scrollTo(0, 0);
}

function result(comment) {
  return {
    kind: 'mt3_synth ratings', test: test.test, participant: session.participant, through: session.through, started: session.started, finished: new Date().toISOString(),
    order: session.order, seconds: session.seconds, comment,
    ratings: session.order.flatMap(({ id, stimuli }) => stimuli.map(stimulus => ({ trial: id, stimulus, ...session.answers[id][stimulus] }))),
  };
}

function finish() {
  const comment = el('textarea', { rows: 3, 'aria-label': 'Remarks' });
  const saved = el('p', { role: 'status', class: 'soft' });
  const save = el('button', { type: 'button', class: 'main', id: 'save', onclick() {
    const name = `ratings-${test.test}-${session.participant.replace(/[^\p{L}\p{N}_-]+/gu, '_')}.json`;
    const url = URL.createObjectURL(new Blob([JSON.stringify(result(comment.value), null, 1)], { type: 'application/json' }));
    el('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    saved.textContent = `Saved as ${name}. Send it to whoever asked you. Thank you!`;
  } }, 'Save your ratings');
  main.replaceChildren(el('section', {}, el('h2', {}, 'Done'), el('p', {}, 'All is rated. Remarks are welcome.'), comment,
    el('div', { class: 'steps' }, el('button', { type: 'button', onclick: () => { session.at -= 1; show(); } }, 'Back'), save), saved));
}

document.addEventListener('keydown', event => {
  if (!trial || event.ctrlKey || event.metaKey || event.altKey) return;
  const inBounds = event.target.closest('.bounds, select, textarea, input[type="text"]');
  if (inBounds) return;
  if (event.key === ' ' && event.target.closest('button:not([aria-pressed="true"])')) return;  // which takes it itself
  if (event.key === ' ') trial.toggle();
  else if (/^[0-9]$/.test(event.key)) trial.hear(Number(event.key));
  else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') trial.nudge((event.key === 'ArrowRight' ? 1 : -1) * (event.shiftKey ? 10 : 1), event.target);
  else if (event.key === 'Enter' && !event.target.closest('button')) document.getElementById('next').click();
  else return;
  event.preventDefault();
});

welcome();
